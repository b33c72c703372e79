"""Runs the SQL scripts of `insights init`, whose statements are all idempotent, and compares their functions."""

from __future__ import annotations

import re
from importlib.resources import files

from psycopg import sql

from orchestration.warehouse.database import Database
from orchestration.warehouse.translation import SCRIPTS

_COMMENT = re.compile(r"^comment on (?:table|view) (?P<name>\S+) is\s+'(?P<text>(?:[^']|'')*)';\n", re.M)
_FUNCTION = re.compile(
    r"^create or replace function \{ops\}\.(?P<name>\w+)\(.*?\bas \$\$(?P<body>.*?)\$\$;", re.M | re.S
)
_PLACE = re.compile(r"\{\{|\}\}|\{\w+\}")
_BODIES = "select proname::text, prosrc from pg_proc where pronamespace = to_regnamespace(%s)"
_DESCRIBED = "select obj_description(to_regclass(%s), 'pg_class')"


def run_script(db: Database, name: str, **values: sql.Composable) -> None:
    """Run the script with this file name, with `values` in place of its braces.

    Comments that a relation already has are left out: each would wait for an autovacuum of its table, because both
    take SHARE UPDATE EXCLUSIVE.
    """
    script = sql.SQL(_text(name)).format(**values).as_string(db.connection)
    for comment in list(_COMMENT.finditer(script)):
        if db.value(_DESCRIBED, [comment["name"]]) == comment["text"].replace("''", "'"):
            script = script.replace(comment[0], "")
    db.execute(sql.Composed([sql.SQL(script)]))


def other_functions(db: Database) -> list[str]:
    """Return the names of the scripts' functions that the database lacks, or has with another text.

    It looks at what is there, not at what was recorded: a release that knows no record puts back its functions, too.
    """
    stored: dict[str, list[str]] = {}
    for name, body in db.rows(_BODIES, [db.names.ops_schema]):
        stored.setdefault(name, []).append(body)
    text = "".join(_text(name) for name in SCRIPTS)
    return sorted(
        {
            found["name"]
            for found in _FUNCTION.finditer(text)
            if not any(re.fullmatch(_pattern(found["body"]), body, re.S) for body in stored.get(found["name"], []))
        }
    )


def _pattern(template: str) -> str:
    """Return a regular expression for a text of a script in which any values stand in place of the braces."""
    texts = [re.escape(text) for text in _PLACE.split(template)]
    places = [re.escape(place[0]) if place in ("{{", "}}") else ".+?" for place in _PLACE.findall(template)]
    return "".join(part for pair in zip(texts, [*places, ""], strict=True) for part in pair)


def _text(name: str) -> str:
    return files("orchestration.warehouse").joinpath("scripts", name).read_text(encoding="utf-8")
