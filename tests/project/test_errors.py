"""The tree of errors: drawn as it is, and every error of the package is of one of its kinds."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from orchestration import errors
from orchestration.api.limits import TooManyRequestsError
from orchestration.api.tokens import TokenError
from orchestration.api.workers import OverloadedError
from orchestration.config.files import PROJECT
from orchestration.dashboards.access import AccessRefusedError
from orchestration.errors import InsightsError
from orchestration.exports.bucket import BucketError

FOLDERS = ("orchestration", "workshop", "dags", "docs")
ROW = re.compile(r"^[ |`]*- (?P<name>\w+) +(?P<who>client|operator) +(?P<waiting>yes|no) +(?P<status>[45]\d\d)", re.M)


def _kinds() -> dict[str, type[InsightsError]]:
    found = {name: value for name, value in vars(errors).items() if isinstance(value, type)}
    own = {name: kind for name, kind in found.items() if issubclass(kind, InsightsError) and kind is not InsightsError}
    return own | {
        kind.__name__: kind for kind in (AccessRefusedError, TokenError, TooManyRequestsError, OverloadedError)
    }


def test_the_drawing_says_what_the_classes_say() -> None:
    drawn = {row["name"]: (row["who"], row["waiting"] == "yes") for row in ROW.finditer(errors.__doc__ or "")}
    assert drawn == {name: (kind.fixed_by, kind.is_transient) for name, kind in _kinds().items()}
    assert {name for name, kind in _kinds().items() if kind.is_transient} == {
        *("BusyError", "OverloadedError", "TimedOutError", "TooManyRequestsError", "UnavailableError"),
    }


def _modules() -> list[Path]:
    """Return every module that raises errors of the tree."""
    return sorted(file for folder in FOLDERS for file in (PROJECT / folder).rglob("*.py"))


def _bare_raises(source: str) -> list[int]:
    """Return the lines that create an InsightsError without a kind."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "InsightsError"
    ]


def test_nothing_raises_an_error_of_no_kind() -> None:
    found = {str(f.relative_to(PROJECT)): lines for f in _modules() if (lines := _bare_raises(f.read_text("utf-8")))}
    assert found == {}


def test_the_search_finds_an_error_of_no_kind() -> None:
    assert _bare_raises("x = 1\nraise InsightsError('no') from None\n") == [2]


def _psycopg_handlers(source: str) -> list[int]:
    """Return the lines with an `except` that names an error of psycopg."""
    handlers = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ExceptHandler) and node.type]
    return [h.lineno for h in handlers if h.type and "psycopg." in ast.unparse(h.type)]


def test_errors_of_the_database_are_translated_in_one_place() -> None:
    found = {str(f.relative_to(PROJECT)) for f in _modules() if _psycopg_handlers(f.read_text("utf-8"))}
    assert found == {
        "orchestration/warehouse/translation.py",  # every statement
        "orchestration/warehouse/connection.py",  # a connection that is refused
        "orchestration/warehouse/claims.py",  # a lock that times out: the error names who holds it
        "orchestration/dashboards/pool.py",  # the same in the thread of the pool
        "orchestration/warehouse/database.py",  # a text that is no organization's, since PostgreSQL cannot hold it
        "workshop/incidents/fitting.py",  # a value that a column may refuse is tried
    }
    assert _psycopg_handlers("try:\n    pass\nexcept psycopg.errors.UndefinedTable:\n    pass\n") == [3]


def test_one_more_sentence_changes_no_kind() -> None:
    error = errors.BusyError("Another process writes.").extended("Nor is the audit there.")
    assert (type(error), str(error)) == (errors.BusyError, "Another process writes. Nor is the audit there.")


@pytest.mark.parametrize("kind", BucketError.__subclasses__())
def test_an_error_of_a_bucket_is_of_one_kind_too(kind: type[BucketError]) -> None:
    assert [base for base in kind.__mro__ if base in _kinds().values()]
    assert kind("no", 403).extended("Look for what is left.").args == ("no Look for what is left.",)
