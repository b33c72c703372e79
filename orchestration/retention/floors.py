"""What a purge must not take: the invariants of retention (specification 2.1), which are those of the configuration."""

from __future__ import annotations

from orchestration.config.files import Settings
from orchestration.config.rules import invariant_problems
from orchestration.errors import RefusedError


def check_floors(settings: Settings) -> list[str]:
    """The broken invariants of retention that matter to nothing enabled here, as sentences (decision D1).

    Raises RefusedError with every one that an enabled review needs.
    """
    found = [
        problem
        for problem in invariant_problems(settings)
        if problem.key.startswith("insights.retention.") and problem.environment == settings.environment
    ]
    errors = [str(problem) for problem in found if problem.level == "error"]
    if errors:
        raise RefusedError(
            "Nothing was purged, because it would delete what is still needed:\n  " + "\n  ".join(errors)
        )
    return [str(problem).removeprefix("warning: ") for problem in found]
