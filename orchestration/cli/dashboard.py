"""`insights dashboard` and `insights dashboards`: print one dashboard, or list all with their parameters."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestration.cli import options
from orchestration.cli.tables import write_records
from orchestration.cli.texts import say, say_json

if TYPE_CHECKING:
    from orchestration.cache.answers import Answer
    from orchestration.dashboards.definitions import Dashboard
    from orchestration.dashboards.panels import Panel
    from orchestration.dashboards.question import Asked, Question
    from orchestration.dashboards.reader import Reader

OUTCOMES = {
    "hits": "from the cache",
    "stale": "from the cache, stale: it is too old, or there is a newer load",
    "waited": "from the cache, just computed by another client",
    "misses": "computed and stored in the cache",
    "bypassed": "computed without the cache",
}


def _pair(_context: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    given: dict[str, str] = {}
    for text in values:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise click.BadParameter(f"{text!r} is not name=value. List the names with: insights dashboards")
        if name in given:
            raise click.BadParameter(
                f"{name} is given twice, as {given[name]!r} and as {value!r}. Give it once, with several tokens"
                " separated by commas."
            )
        given[name] = value
    return given


@click.command(epilog="Example: insights dashboard overview --org st-mary --as manager --format json")
@click.argument("name")
@click.option("--org", "organization", required=True, help="Organization slug or id; see: insights organizations.")
@click.option(
    "--as",
    "roles",
    required=True,
    multiple=True,
    callback=options.words,
    help="Role codes of the user, separated by commas; see: insights roles. Not verified.",
)
@click.option(
    "--visibility",
    "visibilities",
    multiple=True,
    callback=options.words,
    help="Only rows of these, separated by commas. Default: all but ANONYMISED.",
)
@click.option("--anonymised", is_flag=True, help="Show the anonymised form: all visibilities, no small groups.")
@click.option("--parameter", "parameters", multiple=True, callback=_pair, help="name=value; see: insights dashboards")
@options.form
@click.option("--chart", "file", type=click.Path(path_type=Path), help="Draw the panels into this .svg or .png file.")
@click.option(
    "--panel",
    "chosen",
    multiple=True,
    callback=options.words,
    help="Only these panels, separated by commas; --format csv prints one.",
)
def dashboard(  # noqa: PLR0913, PLR0917 - one argument for each option
    name: str,
    organization: str,
    roles: tuple[str, ...],
    visibilities: tuple[str, ...],
    anonymised: bool,
    parameters: dict[str, str],
    form: str,
    file: Path | None,
    chosen: tuple[str, ...],
) -> None:
    """Show a dashboard as a user with these roles would see it.

    The answer is the one that a reporting service gets: access is checked first, then the cache is read, then the
    warehouse.
    """
    from orchestration.cli.panels import show_panel
    from orchestration.config.files import load_server_settings
    from orchestration.dashboards.question import Asked
    from orchestration.dashboards.reader import Reader
    from orchestration.errors import BadInputError, NotBuiltError

    if file and form != "table":
        raise BadInputError(f"--chart draws a file and --format {form} prints; give one of them.")
    asked = Asked(name, organization, visibilities or None, anonymised, parameters)
    with closing(Reader.open(load_server_settings())) as reader:
        if file:
            _draw(reader, asked, roles, file, chosen)
            return
        panels = _chosen(reader, asked, chosen, is_one=form == "csv")
        question = reader.allowed(asked, roles)
        answer = reader.answer(question)
        heading = _heading(reader, question) if form == "table" else ""
        if reader.store is None:
            say("There is no cache: INSIGHTS_REDIS_URL is not set.", err=True)
    contents = {panel: content for panel, content in json.loads(answer.entry.body).items() if panel in panels}
    if form == "json":
        say_json(json.dumps(contents, ensure_ascii=False) if chosen else answer.entry.body.decode())
        return
    if form == "csv":
        (content,) = contents.values()
        if "missing" in content:
            raise NotBuiltError(f"{chosen[0]}: its model {content['missing']} is not built yet. Run: insights build")
        write_records(content["rows"], form)
        return
    say(_origin(answer), err=True)
    say(heading, bold=True)
    for panel, content in contents.items():
        show_panel(panel, (anonymised and panels[panel].anonymised) or panels[panel], content)


def _chosen(reader: Reader, asked: Asked, chosen: tuple[str, ...], *, is_one: bool) -> dict[str, Panel]:
    """Return the chosen panels of a dashboard by name, all without a choice.

    Raises BadInputError for a panel that does not exist, and unless one is chosen if `is_one`.
    """
    from orchestration.config.problems import nearest
    from orchestration.dashboards.definitions import find
    from orchestration.errors import BadInputError

    panels = find(reader.dashboards, asked.dashboard).meta.panels
    for name in chosen:
        if name not in panels:
            raise BadInputError(
                f"Panel {name} of {asked.dashboard} does not exist. There are: {', '.join(panels)}."
                f"{nearest(name, panels)}"
            )
    kept = {name: panel for name, panel in panels.items() if not chosen or name in chosen}
    if is_one and len(kept) > 1:
        raise BadInputError(f"--format csv prints one panel. Choose with --panel one of: {', '.join(kept)}.")
    return kept


def _draw(reader: Reader, asked: Asked, roles: tuple[str, ...], file: Path, chosen: tuple[str, ...]) -> None:
    """Ask the question and draw its answer into a file."""
    from orchestration.dashboards import chart_files, drawing
    from orchestration.dashboards.definitions import find

    draw = chart_files.drawer(file)
    dashboard = find(reader.dashboards, asked.dashboard)
    panels = drawing.charted(dashboard, chosen, is_anonymised=asked.is_anonymised)
    question = reader.allowed(asked, roles)
    answer = reader.answer(question)
    sentences = (dashboard.description, _counted(question), _freshness(answer))
    drawn = drawing.specification(_heading(reader, question), sentences, panels, json.loads(answer.entry.body))
    chart_files.write_whole(file, draw(drawn))
    say(f"{file}: {', '.join(panels)}")


@click.command(epilog="Example: insights dashboards")
@options.form
def dashboards(form: str) -> None:
    """List the dashboards with their parameters and panels."""
    from orchestration.config.files import load_settings
    from orchestration.dashboards import definitions
    from orchestration.manifest import read_manifest

    declared = definitions.dashboards(read_manifest(load_settings())).values()
    if form != "table":
        write_records([_record(dashboard) for dashboard in declared], form)
        return
    for found in declared:
        say(found.name, bold=True)
        say(f"  {found.description}")
        if found.has_anonymised_form:
            say("  It has an anonymised form.")
        for name, parameter in found.meta.parameters.items():
            say(f"  --parameter {name}=...  {parameter.description} {parameter.accepts()}")
        for name, panel in found.meta.panels.items():
            say(f"  {name}: {panel.description}")


def _record(found: Dashboard) -> dict[str, object]:
    """Return a dashboard for a script."""
    parameters = {name: f"{p.description} {p.accepts()}" for name, p in found.meta.parameters.items()}
    return {
        "name": found.name,
        "title": found.title,
        "description": found.description,
        "has_anonymised_form": found.has_anonymised_form,
        "parameters": parameters,
        "panels": {name: panel.description for name, panel in found.meta.panels.items()},
    }


def _heading(reader: Reader, question: Question) -> str:
    """Return the names of the organization and of the dashboard."""
    id_ = question.organization_id
    named = reader.organization_names(id_).get(id_) or id_
    return f"{named}: {reader.dashboards[question.dashboard].title}"


def _counted(question: Question) -> str:
    sees = "all, anonymised" if question.form == "anonymised" else " or ".join(question.visibilities)
    given = {name: ", ".join(value) if isinstance(value, tuple) else value for name, value in question.parameters}
    return "; ".join([f"Rows: {sees}", *(f"{name}: {value}" for name, value in given.items() if value is not None)])


def _freshness(answer: Answer) -> str:
    when = datetime.fromtimestamp(answer.entry.computed_at, UTC)
    stale = " Stale: it is too old, or there is a newer load." if answer.outcome == "stale" else ""
    return f"Computed {when:%Y-%m-%d %H:%M} UTC.{stale}"


def _origin(answer: Answer) -> str:
    entry = answer.entry
    when = datetime.fromtimestamp(entry.computed_at, UTC).isoformat(" ", "seconds")
    return f"{OUTCOMES[answer.outcome]}; computed {when} in {entry.seconds:.3f} s from load {entry.load}"
