"""Compare the public marts with those of the last release, and write what a release needs (decision D262).

`python -m workshop.contract` is `./dev contract`: `check`, `notes` or `release`.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from orchestration import dbt
from orchestration.config.files import PROJECT, load_settings
from orchestration.errors import FailedError, InsightsError, RefusedError
from orchestration.manifest import PACKAGE
from orchestration.warehouse.releases import this_release

FILE = PROJECT / "models" / "marts" / "contract.json"
CHANGELOG = PROJECT / "CHANGELOG.md"
TABLE = "## Schema changes"
UNRELEASED = "(unreleased)"
REMEDY = (
    f"Add a row at the end of the table `{TABLE[3:]}` in CHANGELOG.md. Its change begins with `new`, `removed`,"
    " `another key` or `another form`, or with a list of columns: that of new ones, or `removed` or"
    " `changed` and the list. docs/decisions/database.md, D262, has the rules."
)
# Commands that the changelog asks for, in the order in which an upgrade runs them.
ORDER = ("insights init", "insights build", "insights reconcile")

Contract = dict[str, Any]  # the content of FILE


# How the third cell of a row begins, and what it announces of the relations in the second.
# A colon and words may follow.
_LIST = r"(?P<columns>`\w+`(?:, `\w+`)*)"
_KINDS = {
    "new": r"new",
    "removed": r"removed",
    "new column": _LIST,
    "removed column": rf"removed {_LIST}",
    "changed column": rf"changed {_LIST}",
    "key": r"another key",
    "form": r"another form",
}
# What of a mart beside its columns is compared, and the kind of row that announces a difference.
_PROPERTIES = {
    "key": "key",
    "constraints": "key",
    "schema": "form",
    "materialized": "form",
    "is_enforced": "form",
    "shared": "form",
}


@dataclass(frozen=True)
class Row:
    """A row of the table of schema changes, as its cells."""

    version: str
    relation: str
    change: str
    to_do: str

    @property
    def relations(self) -> set[str]:
        """The names in the second cell, without the schema of the marts."""
        return {name.removeprefix("insights.") for name in re.findall(r"`([\w.]+)`", self.relation)}

    def announces(self, kind: str, relation: str, column: str = "") -> bool:
        """Return whether the row announces a change of this kind of a relation, and of the column if that is given."""
        found = re.fullmatch(rf"{_KINDS[kind]}(?:: .+)?", self.change)
        if not found or relation not in self.relations:
            return False
        return not column or column in re.findall(r"\w+", found["columns"])

    @property
    def needs_build(self) -> bool:
        """Whether a build has to follow: it says so, or asks for something in a relation that dbt builds."""
        asks = bool(self.to_do) and not self.to_do.startswith("nothing")
        is_built = not any(name.startswith("insights_ops.") for name in self.relations)
        return asks and (is_built or "build" in self.to_do)


def marts_of(manifest: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the public models of dbt's manifest by relation: form, key, and columns with type and constraints."""
    return {
        node["alias"]: {
            "schema": node["schema"],
            "materialized": _kind(node["config"]["materialized"]),
            "is_enforced": node["config"]["contract"]["enforced"],
            "shared": node["config"]["meta"].get("shared"),
            "key": node["config"]["unique_key"],
            "constraints": [f"{c['type']} ({', '.join(c['columns'])})" for c in node["constraints"]],
            "columns": {
                name: " ".join([column["data_type"], *sorted(c["type"] for c in column["constraints"]), *_pii(column)])
                for name, column in sorted(node["columns"].items())
            },
        }
        for node in sorted(manifest["nodes"].values(), key=lambda node: str(node["alias"]))
        if node["resource_type"] == "model" and node["package_name"] == PACKAGE and node["access"] == "public"
    }


def _kind(materialized: str) -> str:
    """Return what readers find in the database: an incremental model is a table."""
    return "table" if materialized == "incremental" else materialized


def _pii(column: Mapping[str, Any]) -> list[str]:
    kind = (column["config"].get("meta") or column["meta"]).get("pii")
    return [f"pii={kind}"] if kind else []


def schema_changes(changelog: str) -> list[Row]:
    """Return the rows of the table of schema changes, the oldest first."""
    table = changelog.split(f"{TABLE}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in table.splitlines() if line.startswith("|")][2:]
    return [Row(*(cell.strip() for cell in line.strip("|").split(" | "))) for line in lines]


def newest_heading(changelog: str) -> str:
    """Return the heading of the newest release, such as `3.0.0 (unreleased)`."""
    headings = re.findall(r"^## (\d.*)$", changelog, re.M)
    return str(headings[0])


def problems(released: Contract, marts: Mapping[str, Mapping[str, Any]], rows: Sequence[Row]) -> Iterator[str]:
    """Yield what differs from the last release without being announced; `rows` are those of the whole changelog.

    Each change needs a row of its kind that names the relation and the column, whatever else is in that row.
    """
    since = rows[released["schema_changes"] :]
    for relation in sorted(released["marts"].keys() | marts.keys()):
        old, new = released["marts"].get(relation), marts.get(relation)
        for kind, change, column in _changes(old, new):
            if not any(row.announces(kind, relation, column) for row in since):
                yield f"insights.{f'{relation}.{column}' if column else relation}: {change}"


def _changes(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> Iterator[tuple[str, str, str]]:
    """Yield each difference as its kind, what differs, and the column, which is empty for the whole relation."""
    if old is None or new is None:
        kind = "new" if new else "removed"
        yield kind, kind, ""
        return
    for what, kind in _PROPERTIES.items():
        if old[what] != new[what]:
            yield kind, f"{what} changed from {old[what]} to {new[what]}", ""
    for column in sorted(old["columns"].keys() | new["columns"].keys()):
        was, now = old["columns"].get(column), new["columns"].get(column)
        if was and now and was != now:
            yield "changed column", f"changed from {was} to {now}", column
        elif was != now:
            kind = "new" if now else "removed"
            yield f"{kind} column", kind, column


def notes(released: Contract, changelog: str) -> str:
    """Return the notes of the next release in Markdown: what to run, and what changed in the schema."""
    rows = schema_changes(changelog)[released["schema_changes"] :]
    asked = {command for row in rows for command in re.findall(r"`(insights \w+)", row.to_do)}
    asked |= {ORDER[0]} | ({ORDER[1]} if any(row.needs_build for row in rows) else set())
    commands = [command for command in ORDER if command in asked]
    steps = "\n".join(f"{number}. `{command}`" for number, command in enumerate([f"{ORDER[0]} --plan", *commands], 1))
    table = "\n".join(f"| {row.relation} | {row.change} | {row.to_do} |" for row in rows)
    return f"""# {newest_heading(changelog)}

## What to run
{steps}

docs/operations/upgrades.md has the steps around them.

{TABLE}
| relation | change | what to do |
| --- | --- | --- |
{table}
"""


def new_contract(marts: Mapping[str, Mapping[str, Any]], changelog: str, before: Contract | None) -> Contract:
    """Return the contract of the release that the changelog names at its top.

    Raises RefusedError if that is not this release, or if it is unreleased although there is a contract.
    """
    heading = newest_heading(changelog)
    if not heading.startswith(f"{this_release()} "):
        raise RefusedError(f"CHANGELOG.md begins with {heading}, and this is release {this_release()}.")
    if before and UNRELEASED in heading:
        raise RefusedError(f"CHANGELOG.md begins with {heading}: write the date of the release in place of it.")
    return {"release": heading, "schema_changes": len(schema_changes(changelog)), "marts": marts}


def as_text(contract: Contract) -> str:
    """Return the content of the file: one line for each mart, so that a change is one line of a diff."""
    marts = ",\n".join(f"    {json.dumps(name)}: {json.dumps(mart)}" for name, mart in contract["marts"].items())
    head = {key: value for key, value in contract.items() if key != "marts"}
    return json.dumps(head, indent=2)[:-2] + f',\n  "marts": {{\n{marts}\n  }}\n}}\n'


def parsed() -> dict[str, Any]:
    """Return the manifest of `dbt parse`; raises FailedError with dbt's messages."""
    lines: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        run = dbt.run(
            load_settings().of_postgres(), ["parse", "--quiet", "--target-path", folder], on_line=lines.append
        )
        if run.exit_code:
            raise FailedError(f"dbt cannot parse the project:\n{''.join(lines)}")
        manifest: dict[str, Any] = json.loads(Path(folder, "manifest.json").read_bytes())
    return manifest


@click.command()
@click.argument("work", type=click.Choice(["check", "notes", "release"]), default="check")
def main(work: str) -> None:
    """Compare the public marts with the last release, print the notes of the next one, or write its contract.

    The exit code is 1 if a difference is not announced in CHANGELOG.md.
    """
    changelog = CHANGELOG.read_text(encoding="utf-8")
    released = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else None
    if work == "notes":
        click.echo(notes(released or {"schema_changes": 0}, changelog), nl=False)
        return
    marts = marts_of(parsed())
    if released and (found := list(problems(released, marts, schema_changes(changelog)))):
        differ = "\n".join(found)
        raise click.ClickException(f"not announced since {released['release']}:\n{differ}\n{REMEDY}")
    if work == "release":
        FILE.write_text(as_text(new_contract(marts, changelog, released)), encoding="utf-8")
        click.echo(f"Wrote {FILE.relative_to(PROJECT)}, the contract of {newest_heading(changelog)}.")
    elif released:
        click.echo(f"Everything that differs from {released['release']} is announced.")


if __name__ == "__main__":
    try:
        main()
    except InsightsError as error:
        sys.exit(f"Error: {error}")
