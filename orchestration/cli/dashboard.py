"""`insights dashboard` and `insights dashboards`: one answer as a service would get it, and what can be asked."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from orchestration.cli.tables import show_table
from orchestration.cli.texts import say

if TYPE_CHECKING:
    from orchestration.cache.answers import Answer
    from orchestration.dashboards.definitions import Parameter

OUTCOMES = {
    "hits": "from the cache",
    "stale": "from the cache, stale: it is too old, or a newer load is there",
    "waited": "from the cache, where another asker has just put it",
    "misses": "computed, and put into the cache",
    "bypassed": "computed without the cache",
}


def _pair(_context: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    given: dict[str, str] = {}
    for text in values:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise click.BadParameter(f"{text!r} is not name=value. The names are listed by: insights dashboards")
        if name in given:
            raise click.BadParameter(
                f"{name} is given twice, as {given[name]!r} and as {value!r}. Give it once; several tokens are one"
                " value, with commas between."
            )
        given[name] = value
    return given


@click.command()
@click.argument("name")
@click.option("--org", "organization", required=True, help="Whose: the slug or id of one organization.")
@click.option("--as", "roles", required=True, multiple=True, help="Code of a role of the reader, not proven here.")
@click.option("--visibility", "visibilities", multiple=True, help="Only rows of these. Default: all but ANONYMISED.")
@click.option("--anonymised", is_flag=True, help="The anonymised form: every visibility, small groups left out.")
@click.option("--parameter", "parameters", multiple=True, callback=_pair, help="name=value; see: insights dashboards")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", help="Default: table.")
def dashboard(  # noqa: PLR0913, PLR0917 - one argument an option
    name: str,
    organization: str,
    roles: tuple[str, ...],
    visibilities: tuple[str, ...],
    anonymised: bool,
    parameters: dict[str, str],
    form: str,
) -> None:
    """Print the dashboard NAME of an organization as somebody with these roles sees it.

    It is answered as the reporting service is: access first, then the cache, then the warehouse.
    """
    from orchestration.config.files import load_settings
    from orchestration.dashboards.question import Asked
    from orchestration.dashboards.reader import Reader

    asked = Asked(name, organization, visibilities or None, anonymised, parameters)
    with closing(Reader.open(load_settings())) as reader:
        answer = reader.ask(asked, roles)
        if reader.store is None:
            say("There is no cache: INSIGHTS_REDIS_URL is not set.", err=True)
    if form == "json":
        click.echo(answer.entry.body)
        return
    say(_origin(answer), err=True)
    for panel, content in json.loads(answer.entry.body).items():
        rows = content["rows"]
        title = f"{panel}, up to {content['horizon']}"
        show_table([list(row.values()) for row in rows], header=list(rows[0]) if rows else [], title=title)
        if not rows:
            say("  (nothing)")
        if content["left_out"]:
            say(f"  and {content['left_out']:,} more")


@click.command()
def dashboards() -> None:
    """List the dashboards with their parameters and panels."""
    from orchestration.config.files import load_settings
    from orchestration.dashboards import definitions
    from orchestration.manifest import read_manifest

    for found in definitions.dashboards(read_manifest(load_settings())).values():
        say(found.name, bold=True)
        say(f"  {found.description}")
        if found.has_anonymised_form:
            say("  It has an anonymised form.")
        for name, parameter in found.meta.parameters.items():
            say(f"  --parameter {name}=...  {parameter.description} {_bounds(parameter)}")
        for name, panel in found.meta.panels.items():
            say(f"  {name}: {panel.description}")


def _origin(answer: Answer) -> str:
    entry = answer.entry
    when = datetime.fromtimestamp(entry.computed_at, UTC).isoformat(" ", "seconds")
    return f"{OUTCOMES[answer.outcome]}; computed {when} in {entry.seconds:.3f} s from load {entry.load}"


def _bounds(parameter: Parameter) -> str:
    if parameter.type == "integer":
        return f"{parameter.min} to {parameter.max}, by default {parameter.default}."
    if parameter.type == "month":
        return f"{parameter.min} to {parameter.max}."
    return f"Some of {','.join(parameter.values)}; by default all."
