"""Says which nodes of a failed dbt command failed, and whether the same command can succeed later."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from orchestration.dbt import DbtRun
from orchestration.errors import FailedError, InsightsError, UnavailableError

# The nodes and characters that a message quotes; the log of the command has all.
MOST_NODES, MOST_CHARACTERS = 10, 600

# dbt reports PostgreSQL's sentence without its SQLSTATE. What these name passes by itself.
_PASSING = re.compile(
    r"connection (?:to server|refused|reset|timed out|already closed)|closed the connection|could not connect"
    r"|cannot connect|could not receive|database system is|recovery mode|terminating connection|too many clients"
    r"|deadlock detected|could not serialize|lock timeout|could not obtain lock|another session|lost the claim"
    r"|canceling statement|tuple concurrently|pg_\w+_index|out of (?:shared )?memory|no space left|SSL SYSCALL",
    re.IGNORECASE,
)
# A retry meets these again. An error of the database in neither list, or in another language, is retried.
_LASTING = re.compile(
    r"compilation error|parsing error|syntax error|does not exist|permission denied|must be owner|division by zero"
    r"|invalid input syntax|out of range|violates|cannot be cast|cannot cast|is ambiguous"
    r"|datatype mismatch|value too long|usage error|no such option",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Failure:
    """A node (or the command itself) that failed, dbt's message on one line, and whether a retry would fail too."""

    name: str
    message: str
    is_lasting: bool

    @classmethod
    def of(cls, name: str, message: str, *, is_test: bool = False) -> Failure:
        """Return the failure with this message of dbt; a test that counted rows fails until the rows change."""
        text = " ".join(message.split()).partition(" compiled code at ")[0]
        is_lasting = is_test or bool(_LASTING.search(text) and not _PASSING.search(text))
        return cls(name, text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}...", is_lasting)


def failures(run: DbtRun) -> list[Failure]:
    """Return what failed in a dbt command; a command that ran no node fails as a whole, with the end of its output."""
    nodes = [
        Failure.of(_name(node["unique_id"]), node["message"] or "", is_test=node["status"] == "fail")
        for node in _results(run)
        if node["status"] in {"error", "fail"}
    ]
    if nodes or not run.output:
        return nodes
    text = "".join(run.output)
    _, found, reason = text.partition("Encountered an error:")
    return [Failure.of("dbt", reason if found else text[-MOST_CHARACTERS:])]


def failure(run: DbtRun) -> InsightsError:
    """Return the error for a failed dbt command: FailedError if a retry would fail too, else UnavailableError.

    Its message names the models and tests that failed, with dbt's messages. If one of them can succeed later, a retry
    is worth it.
    """
    found = failures(run)
    lines = [f"{one.name}: {one.message}" for one in found[:MOST_NODES]]
    if len(found) > MOST_NODES:
        lines.append(f"and {len(found) - MOST_NODES} more")
    message = "\n".join([f"dbt failed with exit code {run.exit_code}; its messages are above.", *lines])
    is_lasting = bool(found) and run.exit_code > 0 and all(one.is_lasting for one in found)
    return FailedError(message) if is_lasting else UnavailableError(message)


def _results(run: DbtRun) -> list[dict[str, str]]:
    """Return the results of the nodes of this command; the file may be of an earlier one, or half-written."""
    file = run.target / "run_results.json"
    try:
        if file.stat().st_mtime < run.started:
            return []
        results: list[dict[str, str]] = json.loads(file.read_text(encoding="utf-8"))["results"]
    except (OSError, ValueError, KeyError):
        return []
    return results


def _name(unique_id: str) -> str:
    """Return the name of a node; that of a generic test is followed by a hash in its id."""
    kind, _, *rest = unique_id.split(".")
    return f"{kind} {rest[0]}" if rest else unique_id
