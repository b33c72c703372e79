"""The JSON Schemas of the answers, for OpenAPI and for the tests."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from orchestration.config.tokens import Section
from orchestration.dashboards.access import AS_THEY_ARE
from orchestration.dashboards.definitions import Dashboard
from orchestration.dashboards.panels import Chart, Columns, Drill, Panel, Unit
from orchestration.dashboards.question import ALL_VISIBILITIES

TEXT: dict[str, Any] = {"type": "string"}
FLAG: dict[str, Any] = {"type": "boolean"}
COUNT: dict[str, Any] = {"type": "integer", "minimum": 0}
DAY: dict[str, Any] = {"type": ["string", "null"], "format": "date"}
MOMENT: dict[str, Any] = {"type": "string", "format": "date-time"}


def obj(members: dict[str, Any], description: str = "") -> dict[str, Any]:
    """Return the schema of an object that has exactly these members."""
    found = {"type": "object", "properties": members, "required": list(members), "additionalProperties": False}
    return found | ({"description": description} if description else {})


def listed(items: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a list."""
    return {"type": "array", "items": items}


# What a value of each unit is in an answer. All but ids may be null.
_ID = {"type": "string", "format": "uuid"}
VALUES: dict[Unit, dict[str, Any]] = {
    "count": {"type": ["integer", "null"]},
    "seconds": {"type": ["number", "null"]},
    "share": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
    "percent": {"type": ["number", "null"], "minimum": 0, "maximum": 100},
    "day": DAY,
    "month": DAY,
    "moment": {"type": ["string", "null"], "format": "date-time"},
    "text": {"type": ["string", "null"]},
    "token": {"type": ["string", "null"]},
    "place": {"type": ["string", "null"]},
    "flag": {"type": ["boolean", "null"]},
    "code": {"type": ["integer", "null"]},
    "pattern_id": _ID,
    "case_id": _ID,
    "task_id": _ID,
}


def _members(model: type[Section]) -> dict[str, Any]:
    found: dict[str, Any] = TypeAdapter(model).json_schema()["properties"]
    return found


STATUS = obj({"status": TEXT})
PROBLEM = {
    "type": "object",
    "description": "Problem details (RFC 9457).",
    "properties": {
        "type": {"type": "string", "description": "Stable name of the kind of problem."},
        "title": TEXT,
        "status": {"type": "integer"},
        "detail": TEXT,
        "errors": listed(obj({"parameter": TEXT, "detail": TEXT})),
    },
    "required": ["type", "title", "status", "detail"],
    "additionalProperties": False,
}
FAILURE = obj(
    {"ok": {"const": False}, "data": {"type": "null"}, "error": obj({"code": TEXT, "message": TEXT})},
    "An error as Orgo's web client expects it.",
)
FORM: dict[str, Any] = {
    "columns": listed(
        obj(
            {
                "name": TEXT,
                "title": TEXT,
                "kind": {"type": "string", "enum": ["dimension", "measure"]},
                "unit": {"type": "string", "enum": list(VALUES)},
            }
        )
    ),
    "chart": {"anyOf": [obj(_members(Chart)), {"type": "null"}]},
}
PANEL = obj(
    {
        "description": TEXT,
        **FORM,
        "drill": {"anyOf": [obj(_members(Drill)), {"type": "null"}]},
        "anonymised": {"anyOf": [obj(FORM), {"type": "null"}]},
    }
)
DASHBOARDS = obj(
    {
        "dashboards": listed(
            obj(
                {
                    "name": TEXT,
                    "title": TEXT,
                    "description": TEXT,
                    "path": TEXT,
                    "has_anonymised_form": FLAG,
                    "parameters": {"type": "object", "additionalProperties": {"type": "object"}},
                    "panels": {"type": "object", "additionalProperties": PANEL},
                }
            )
        ),
        "visibilities": listed({"type": "string", "enum": list(AS_THEY_ARE)}),
        "pattern_parameters": {"type": "object", "additionalProperties": {"type": "object"}},
    }
)
ORGANIZATION = obj(
    {
        "id": {"type": "string", "format": "uuid"},
        "name": {
            "type": ["string", "null"],
            "description": "Null if the warehouse does not know it, or does not answer.",
        },
    }
)
CALLER = obj(
    {
        "organization": ORGANIZATION,
        "organizations": listed(ORGANIZATION) | {"description": "Those that may be asked about, by name."},
        "visibilities": listed({"type": "string", "enum": list(AS_THEY_ARE)}),
        "sees_anonymised": FLAG | {"description": "Whether the roles may see anonymised forms."},
    }
)
FRESHNESS = obj(
    {
        "marts": listed(
            obj(
                {
                    "name": TEXT,
                    "data_up_to": DAY | {"description": "The first day without data (UTC); null without loads."},
                    "loaded_at": {"type": ["string", "null"], "format": "date-time"},
                    "is_late": {
                        "type": ["boolean", "null"],
                        "description": "Null for a mart that no DAG builds on a schedule in this environment.",
                    },
                }
            )
        )
    }
)


# What every set of figures says of itself.
ABOUT = {
    "data_up_to": DAY | {"description": "The earliest horizon of what was read (exclusive, UTC)."},
    "computed_at": MOMENT,
    "is_stale": FLAG | {"description": "Whether the figures are too old, or a newer load exists."},
    "visibilities": listed({"type": "string", "enum": list(ALL_VISIBILITIES)}),
    "left_out": COUNT | {"description": "Number of rows beyond the limits."},
}


def of_dashboard(dashboard: Dashboard) -> dict[str, Any]:
    """Return the schema of the answers of a dashboard."""
    return obj({"data": obj({name: _panel(panel) for name, panel in dashboard.meta.panels.items()}), **ABOUT})


ID = {"type": "string", "format": "uuid"}
MAYBE_TEXT: dict[str, Any] = {"type": ["string", "null"]}
MAYBE_COUNT: dict[str, Any] = {"type": ["integer", "null"]}
VISIBLE = {"type": "string", "enum": list(AS_THEY_ARE)}
PATTERN = obj(
    {
        "pattern_id": ID,
        "cadence": TEXT,
        "review_date": {"type": "string", "format": "date"},
        "window_start": {"type": "string", "format": "date"},
        "window_end": {"type": "string", "format": "date"},
        "kind": TEXT,
        "kind_name": TEXT,
        "about": TEXT | {"description": "What the pattern is about, in a few words."},
        "domain": MAYBE_TEXT,
        "label": MAYBE_TEXT,
        "label_category": MAYBE_COUNT,
        "label_subcategory": MAYBE_COUNT,
        "location": MAYBE_TEXT,
        "severity": TEXT,
        "visibility": VISIBLE,
        "episode_start": {"type": "string", "format": "date"},
        "is_new": FLAG | {"description": "Whether its episode begins with this review."},
        "cases": COUNT,
        "sources": MAYBE_COUNT,
        "path": TEXT | {"description": "Where the pattern is explained."},
    }
)
CASE = obj(
    {
        "case_id": ID,
        "label": MAYBE_TEXT,
        "domain": MAYBE_TEXT,
        "status": TEXT,
        "severity": TEXT,
        "visibility": VISIBLE,
        "opened_at": MOMENT,
        "closed_at": {"type": ["string", "null"], "format": "date-time"},
    }
)
PATTERN_PAGE = obj(
    {
        "data": obj(
            {
                "reviews": listed(obj({"cadence": TEXT, "review_date": {"type": "string", "format": "date"}})),
                "patterns": listed(PATTERN),
                "next_cursor": MAYBE_TEXT | {"description": "The cursor of the next page; null on the last."},
            }
        ),
        **ABOUT,
    }
)
PATTERN_EXPLAINED = obj(
    {
        "data": obj(
            {
                "pattern": PATTERN,
                "explanation": listed(obj({"heading": TEXT, "text": TEXT})),
                "cases": listed(CASE),
                "cases_withheld": COUNT | {"description": "Cases that the roles may not see, or that were purged."},
            }
        ),
        **ABOUT,
    }
)


EXPORTS = obj(
    {
        "exports": listed(
            obj(
                {
                    "name": TEXT,
                    "description": TEXT,
                    "kind": {"type": "string", "enum": ["rows", "aggregate"]},
                    "columns": listed(TEXT),
                    "masked_columns": listed(TEXT),
                }
            )
        ),
        "formats": listed(TEXT),
        "attempts": listed(
            obj(
                {
                    "export_id": ID,
                    "export": TEXT,
                    "state": {"type": "string", "enum": ["running", "finished", "failed", "refused", "aborted"]},
                    "at": MOMENT | {"description": "When it ended, or began if it has no end."},
                    "format": TEXT,
                    "output": TEXT,
                    "from": {"type": "string", "format": "date"},
                    "to": {"type": "string", "format": "date", "description": "Exclusive."},
                    "is_masked": FLAG,
                    "rows": MAYBE_COUNT,
                    "bytes": MAYBE_COUNT,
                    "sha256": MAYBE_TEXT,
                }
            )
        ),
    }
)


def success(data: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of the envelope that Orgo's web client expects around some data."""
    return obj({"ok": {"const": True}, "data": data, "error": {"type": "null"}, "meta": obj(ABOUT)})


def _panel(panel: Panel) -> dict[str, Any]:
    rows = _row(panel)
    if panel.anonymised:
        rows = {"anyOf": [rows, _row(panel.anonymised)]}
    found = obj({"horizon": DAY, "rows": listed(rows), "left_out": COUNT}, panel.description)
    found["properties"]["missing"] = TEXT | {"description": "The model of the panel, if it is not built yet."}
    return found


def _row(columns: Columns) -> dict[str, Any]:
    return obj({name: _value(columns, name) for name in (*columns.dimensions, *columns.measures)})


def _value(columns: Columns, name: str) -> dict[str, Any]:
    unit = columns.unit(name)
    return VALUES[unit] | {"description": f"{columns.title(name)} ({unit})."}
