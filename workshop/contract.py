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
REMEDY = f"Add a row at the end of the table `{TABLE[3:]}` in CHANGELOG.md that names the relation and the column."
# Commands that the changelog asks for, in the order in which an upgrade runs them.
ORDER = ("insights init", "insights build", "insights reconcile")

Contract = dict[str, Any]  # the content of FILE


@dataclass(frozen=True)
class Row:
    """A row of the table of schema changes, as its cells."""

    version: str
    relation: str
    change: str
    to_do: str

    def names(self, relation: str, column: str = "") -> bool:
        """Return whether the row is about a relation, and about a column of it if that is given."""
        words = set(re.findall(r"[\w.]+", " ".join(re.findall(r"`([^`]*)`", f"{self.relation} {self.change}"))))
        words |= {word.removeprefix("insights.") for word in words}
        parts = {part for word in words for part in word.split(".")}
        return relation in (words | {word.split(".")[0] for word in words}) and (not column or column in parts)


def marts_of(manifest: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the public models of dbt's manifest by relation: version, key, and columns with type and constraints."""
    return {
        node["alias"]: {
            "version": node.get("version"),
            "key": node["config"]["unique_key"],
            "constraints": [f"{c['type']} ({', '.join(c['columns'])})" for c in node["constraints"]],
            "columns": {
                name: " ".join([column["data_type"], *sorted(c["type"] for c in column["constraints"])])
                for name, column in sorted(node["columns"].items())
            },
        }
        for node in sorted(manifest["nodes"].values(), key=lambda node: str(node["alias"]))
        if node["resource_type"] == "model" and node["package_name"] == PACKAGE and node["access"] == "public"
    }


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

    Breaking changes need a row or a new dbt version of the model, additions need a row.
    """
    since = rows[released["schema_changes"] :]
    for relation in sorted(released["marts"].keys() | marts.keys()):
        old, new = released["marts"].get(relation), marts.get(relation)
        for change, column in _changes(old, new):
            is_versioned = old and new and old["version"] != new["version"]
            if not is_versioned and not any(row.names(relation, column) for row in since):
                yield f"insights.{f'{relation}.{column}' if column else relation}: {change}"


def _changes(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    """Yield each difference with the column that it is about; empty for one of the whole relation."""
    if old is None or new is None:
        yield ("new" if new else "removed", "")
        return
    for what in ("key", "constraints"):
        if old[what] != new[what]:
            yield f"{what} changed from {old[what]} to {new[what]}", ""
    for column in sorted(old["columns"].keys() | new["columns"].keys()):
        was, now = old["columns"].get(column), new["columns"].get(column)
        if was != now:
            yield (f"changed from {was} to {now}" if was and now else "new" if now else "removed"), column


def notes(released: Contract, changelog: str) -> str:
    """Return the notes of the next release in Markdown: what to run, and what changed in the schema."""
    rows = schema_changes(changelog)[released["schema_changes"] :]
    asked = {command for row in rows for command in re.findall(r"`(insights \w+)", row.to_do)}
    commands = [command for command in ORDER if command in asked or command == ORDER[0]]
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
