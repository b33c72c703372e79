"""The data that Orgo's web client expects, made from the panels of dashboards, with their JSON Schemas.

Where the client's types and its pages expect different members, an object has those of both.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from orchestration.api.answers import Answered
from orchestration.api.schemas import COUNT, MOMENT, TEXT, listed, obj
from orchestration.errors import NotBuiltError

DAY = {"type": "string", "format": "date"}
SHARE = {"type": "number", "minimum": 0, "maximum": 1}
SCORE = {"type": "number", "minimum": 0, "maximum": 100}
MAYBE_TEXT = {"type": ["string", "null"]}
MAYBE_MOMENT = {"type": ["string", "null"], "format": "date-time"}
NO_DOMAIN = ""  # pages treat a domain as a text
NO_SCORE = 100.0  # without a decided deadline there is no breach

VOLUME = listed(
    {
        "type": "object",
        "description": "`date_key`, `value` and `extra` are for the client's types, the others for its pages.",
        "properties": {
            "date_key": DAY,
            "value": COUNT,
            "extra": {"type": "object", "additionalProperties": MAYBE_TEXT},
            "date": DAY,
            "count": COUNT,
            **dict.fromkeys(("status", "type", "priority", "severity"), MAYBE_TEXT),
        },
        "required": ["date_key", "value", "extra", "date", "count"],
        "additionalProperties": False,
    }
)
DOMAINS = listed(obj({"domainType": TEXT, "totalTasks": COUNT, "breachedTasks": COUNT, "breachRate": SHARE}))
TASKS = listed(
    obj(
        {
            "task_id": {"type": "string", "format": "uuid"},
            "domain": MAYBE_TEXT,
            "status": TEXT,
            "severity": TEXT,
            "created_at": MOMENT,
            "deadline_at": MOMENT,
            "closed_at": MAYBE_MOMENT,
            "breach_seconds": COUNT,
        }
    )
)
SUMMARY = obj(
    {
        "organizationId": {"type": "string", "format": "uuid"},
        "fromDate": DAY,
        "toDate": DAY,
        "overallTasks": COUNT,
        "overallBreachedTasks": COUNT,
        "overallScore": SCORE,
        "perDomain": DOMAINS,
    }
)
OVERVIEW = obj(
    {
        "timeframe": TEXT,
        "metrics": listed(
            obj(
                {
                    "id": TEXT,
                    "label": TEXT,
                    "value": {"type": "number"},
                    "formattedValue": TEXT,
                    "changePercent": {"type": ["number", "null"]},
                }
            )
        ),
        "primaryTrend": listed(obj({"date": DAY, "value": COUNT})),
        "generatedAt": MOMENT,
    }
)


def volume(answered: Answered) -> list[dict[str, Any]]:
    """Return the number of tasks by date and by the property of `groupBy`."""
    name = dict(answered.question.parameters)["group_by"]
    return [
        {
            "date_key": row["date"],
            "value": row["tasks"],
            "extra": {name: row["property"]},
            "date": row["date"],
            "count": row["tasks"],
            name: row["property"],
        }
        for row in _rows(answered, "counts")
    ]


def domains(answered: Answered) -> list[dict[str, Any]]:
    """Return decided and missed deadlines by domain."""
    return [
        {
            "domainType": row["domain"] or NO_DOMAIN,
            "totalTasks": row["deadlines"],
            "breachedTasks": row["missed"],
            "breachRate": round(row["missed"] / row["deadlines"], 4),
        }
        for row in _rows(answered, "by_domain")
    ]


def tasks(answered: Answered) -> list[dict[str, Any]]:
    """Return the tasks that missed their deadline."""
    return _rows(answered, "tasks")


def summary(answered: Answered) -> dict[str, Any]:
    """Return the share of kept deadlines over all domains, and for each."""
    per_domain = domains(answered)
    total, missed = (sum(row[name] for row in per_domain) for name in ("totalTasks", "breachedTasks"))
    first, last = _period(answered)
    return {
        "organizationId": answered.question.organization_id,
        "fromDate": first.isoformat(),
        "toDate": last.isoformat(),
        "overallTasks": total,
        "overallBreachedTasks": missed,
        "overallScore": round(100 * (total - missed) / total, 2) if total else NO_SCORE,
        "perDomain": per_domain,
    }


def overview(answered: Answered) -> dict[str, Any]:
    """Return the main figures of a timeframe, each beside that of as many days before."""
    days = dict(answered.question.parameters)["days"] // 2
    by_day = {date.fromisoformat(row["day"]): row for row in _rows(answered, "by_day")}
    horizon = _horizon(answered, "by_day")
    begin = horizon - timedelta(days)
    now = [row for day, row in by_day.items() if day >= begin]
    before = [row for day, row in by_day.items() if day < begin]
    dates = [begin + timedelta(day) for day in range(days)]
    return {
        "timeframe": f"{days}d",
        "metrics": [
            _count("tasks_created", "Tasks created", "tasks", now, before),
            _count("late_responses", "Late first responses", "reactivity_breaches", now, before),
            _share("late_response_share", "Share of late first responses", "reactivity", now, before),
            _count("late_completions", "Late completions", "completion_breaches", now, before),
            _share("late_completion_share", "Share of late completions", "completion", now, before),
        ],
        "primaryTrend": [{"date": d.isoformat(), "value": by_day[d]["tasks"] if d in by_day else 0} for d in dates],
        "generatedAt": answered.computed_at,
    }


Rows = list[dict[str, Any]]


def _count(id_: str, label: str, name: str, now: Rows, before: Rows) -> dict[str, Any]:
    value, previous = (sum(row[name] for row in rows) for rows in (now, before))
    return _metric(id_, label, value, f"{value:,}", previous)


def _share(id_: str, label: str, name: str, now: Rows, before: Rows) -> dict[str, Any]:
    """Return a share in percent; 0 where nothing was decided."""
    value, previous = (
        100 * sum(row[f"{name}_breaches"] for row in rows) / (sum(row[f"{name}_decided"] for row in rows) or 1)
        for rows in (now, before)
    )
    return _metric(id_, label, round(value, 2), f"{value:.1f} %", previous)


def _metric(id_: str, label: str, value: float, text: str, previous: float) -> dict[str, Any]:
    change = round(100 * (value - previous) / previous, 1) if previous else None
    return {"id": id_, "label": label, "value": value, "formattedValue": text, "changePercent": change}


def _rows(answered: Answered, panel: str) -> Rows:
    rows: Rows = answered.panels[panel]["rows"]
    return rows


def _horizon(answered: Answered, panel: str) -> date:
    """Return the horizon of a panel; raises NotBuiltError without one."""
    horizon = answered.panels[panel]["horizon"]
    if horizon is None:
        raise NotBuiltError("The report has not been loaded.")
    return date.fromisoformat(horizon)


def _period(answered: Answered) -> tuple[date, date]:
    """Return the first and the last day that a question is about, as its SQL has them."""
    values = dict(answered.question.parameters)
    last = date.fromisoformat(values["to"]) if values["to"] else _horizon(answered, "by_domain") - timedelta(1)
    first = date.fromisoformat(values["from"]) if values["from"] else last - timedelta(values["days"] - 1)
    return first, last
