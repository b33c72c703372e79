"""The operations about patterns: pages of the newest reviews, and one pattern explained with its cases."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import cache
from typing import Any
from uuid import UUID

from orchestration.api import parameters, schemas
from orchestration.api.answers import VARY, Reply, document, tag
from orchestration.api.operations import ORGANIZATION, Call, Operation
from orchestration.api.pattern_filters import page_parameters
from orchestration.dashboards.parameter_types import (
    DayParameter,
    IntegerParameter,
    Parameter,
)
from orchestration.dashboards.question import WrongParametersError
from orchestration.errors import BadInputError, NotFoundError
from orchestration.reviews.kinds import pattern_kinds
from orchestration.reviews.pattern_pages import (
    PageFilters,
    pattern_page,
    patterns_horizon,
    position_of,
    visible_cases,
)
from orchestration.reviews.patterns import explanation, find_pattern, summary
from orchestration.warehouse.ids import canonical_id

PATTERNS = f"{ORGANIZATION}/patterns"
PATTERN = f"{PATTERNS}/{{pattern_id}}"


@cache
def pattern_parameters() -> dict[str, Parameter]:
    """Return the parameters of one pattern."""
    return {
        "review_date": DayParameter(type="day", description="As this review found it; by default the newest."),
        "limit": IntegerParameter(
            type="integer", default=100, min=1, max=1000, description="Maximum number of cases, the newest first."
        ),
    }


def pattern_operations() -> list[Operation]:
    """Return the operations about patterns."""
    return [
        Operation(
            "list_patterns",
            PATTERNS,
            "The patterns that the newest reviews found: the newest review first, in it the largest pattern first.",
            schemas.PATTERN_PAGE,
            _list,
            parameters.described(page_parameters()),
        ),
        Operation(
            "explain_pattern",
            PATTERN,
            "One pattern, why it was found in sentences, and its cases as far as the roles may see them.",
            schemas.PATTERN_EXPLAINED,
            _explain,
            parameters.described(pattern_parameters()),
        ),
    ]


def _list(call: Call) -> Reply:
    begun = time.monotonic()
    given = parameters.read("The list of patterns", page_parameters(), call.pairs)
    visibilities = call.service.visibilities(call.caller, given.visibilities)
    filters = PageFilters(
        call.organization_id,
        visibilities,
        *(given.values[name] for name in ("cadence", "kind", "severity", "domain")),
    )
    after = None
    if given.values["cursor"]:
        try:
            after = position_of(filters, given.values["cursor"])
        except BadInputError as error:
            raise WrongParametersError({"cursor": str(error)}) from error
    with call.service.reader.reading() as db:
        page = pattern_page(db, filters, after, given.values["limit"])
        horizon = patterns_horizon(db)
    data = {
        "reviews": [{"cadence": cadence, "review_date": day} for cadence, day in page.made],
        "patterns": [_shown(row) for row in page.patterns],
        "next_cursor": page.next_cursor,
    }
    return _reply(call, data, _about(visibilities, horizon, page.left_out), begun)


def _explain(call: Call) -> Reply:
    begun = time.monotonic()
    given = parameters.read("A pattern", pattern_parameters(), call.pairs)
    visibilities = call.service.visibilities(call.caller, given.visibilities)
    pattern_id = canonical_id(call.path["pattern_id"])
    if pattern_id is None:
        raise NotFoundError("No pattern has this id.")
    review_date = given.values["review_date"] and date.fromisoformat(given.values["review_date"])
    with call.service.reader.reading() as db:
        row = find_pattern(db, UUID(pattern_id), review_date, call.organization_id, visibilities)
        cases, count = visible_cases(db, call.organization_id, row["case_ids"], visibilities, given.values["limit"])
        horizon = patterns_horizon(db)
    withheld = len(row["case_ids"]) - count
    data = {
        "pattern": _shown(row),
        "explanation": [{"heading": heading, "text": text} for heading, text in explanation(row | {"case_ids": []})],
        "cases": cases,
        "cases_withheld": withheld,
    }
    return _reply(call, data, _about(visibilities, horizon, count - len(cases)), begun)


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a pattern without its cases."""
    same = (
        *("pattern_id", "cadence", "review_date", "window_start", "window_end", "kind", "domain", "label"),
        *("label_category", "label_subcategory", "location", "severity", "visibility", "episode_start", "is_new"),
    )
    return {
        **{name: row[name] for name in same},
        "kind_name": pattern_kinds()[row["kind"]].display_name,
        "about": summary(dict(row)),
        "cases": row["event_count"],
        "sources": row["distinct_sources"],
        "path": PATTERN.format(organization_id=row["organization_id"], pattern_id=row["pattern_id"]),
    }


def _about(visibilities: tuple[str, ...], horizon: date | None, left_out: int) -> dict[str, Any]:
    return {
        "data_up_to": horizon,
        "is_stale": False,
        "visibilities": list(visibilities),
        "left_out": left_out,
    }


def _reply(call: Call, data: Mapping[str, Any], about: Mapping[str, Any], begun: float) -> Reply:
    """Return the reply; its ETag does not depend on when it was computed."""
    computed_at = datetime.now(UTC).isoformat(timespec="milliseconds")
    named = json.dumps([call.organization_id, *about["visibilities"]])
    headers = {
        "Cache-Control": f"private, max-age={call.service.fresh_seconds}",
        "ETag": tag(named, document({**data, **about}).body),
        "Server-Timing": f"answer;dur={(time.monotonic() - begun) * 1000:.1f};desc=computed",
        "Vary": VARY,
    }
    body = document({"data": data, **about, "computed_at": computed_at}).body
    return Reply(body, headers=headers)
