"""Questions to the dashboards, and who asks them."""

from __future__ import annotations

from orchestration.dashboards.parameter_types import IntegerParameter
from orchestration.dashboards.question import Asked, Question
from orchestration.dashboards.reader import Reader

VISIBILITIES = ("PUBLIC", "INTERNAL")
ROLES = ("nurse",)


def questions(reader: Reader, keys: int) -> list[Question]:
    """Return up to `keys` different questions, equally many of each dashboard if it has them.

    They vary the first integer parameter of a dashboard over at most `keys` of its values, for each organization.
    """
    organizations = reader.organizations()
    found: list[Asked] = []
    for name, dashboard in reader.dashboards.items():
        numbers = {k: p for k, p in dashboard.meta.parameters.items() if isinstance(p, IntegerParameter)}
        for key, parameter in list(numbers.items())[:1]:
            for value in range(parameter.min, parameter.max + 1)[:keys]:
                found += [Asked(name, id_, VISIBILITIES, parameters={key: value}) for id_ in organizations]
    return [reader.question(one) for one in found[:: max(1, len(found) // keys)][:keys]]


def asked(question: Question) -> Asked:
    """Return what a client sends to ask a question."""
    return Asked(
        question.dashboard, question.organization_id, question.visibilities, parameters=dict(question.parameters)
    )
