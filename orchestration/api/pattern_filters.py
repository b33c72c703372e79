"""The parameters of the list of patterns."""

from __future__ import annotations

from functools import cache

from orchestration.api.client_parameters import SEVERITIES
from orchestration.dashboards.definitions import PATTERN_FILTERS
from orchestration.dashboards.parameter_types import IntegerParameter, Parameter, TextParameter, TokensParameter
from orchestration.reviews.kinds import pattern_kinds
from orchestration.reviews.pattern_pages import MAX_CURSOR
from orchestration.reviews.patterns import CADENCES


@cache
def page_parameters() -> dict[str, Parameter]:
    """Return the parameters of a page."""
    return {
        "cadence": TokensParameter(type="tokens", values=list(CADENCES), description="Only these reviews."),
        "kind": TokensParameter(type="tokens", values=list(pattern_kinds()), description="Only these kinds."),
        "severity": TokensParameter(
            type="tokens", values=list(SEVERITIES), description="Only patterns of these severities."
        ),
        "domain": TextParameter(type="text", max_length=255, description="Only patterns of this domain."),
        "limit": IntegerParameter(
            type="integer", default=50, min=1, max=200, description="Maximum number of patterns of a page."
        ),
        "cursor": TextParameter(
            type="text", max_length=MAX_CURSOR, description="The next_cursor of a page, for the page that follows it."
        ),
    }


def pattern_filters() -> dict[str, Parameter]:
    """Return those that choose patterns, without those of pages."""
    return {name: parameter for name, parameter in page_parameters().items() if name in PATTERN_FILTERS}
