"""Refuses a purge that breaks the lower bounds of retention (section 2.1), which the configuration checks too."""

from __future__ import annotations

from orchestration.config.files import Settings
from orchestration.config.rules import invariant_problems
from orchestration.errors import RefusedError


def check_lower_bounds(settings: Settings) -> list[str]:
    """Return the broken lower bounds that no enabled review depends on, as sentences (decision D1).

    Raises RefusedError with every one that an enabled review depends on.
    """
    found = [
        problem
        for problem in invariant_problems(settings)
        if problem.key.startswith("insights.retention.") and problem.environment == settings.environment
    ]
    errors = [str(problem) for problem in found if problem.level == "error"]
    if errors:
        raise RefusedError(
            "Nothing was purged, because an enabled review still needs the rows:\n  " + "\n  ".join(errors)
        )
    return [str(problem).removeprefix("warning: ") for problem in found]
