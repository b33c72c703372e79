"""The columns of a ServiceNow incident audit log and the format of their values."""

from collections.abc import Mapping
from typing import Literal

COLUMNS = (
    "number",
    "incident_state",
    "active",
    "reassignment_count",
    "reopen_count",
    "sys_mod_count",
    "made_sla",
    "caller_id",
    "opened_by",
    "opened_at",
    "sys_created_by",
    "sys_created_at",
    "sys_updated_by",
    "sys_updated_at",
    "contact_type",
    "location",
    "category",
    "subcategory",
    "u_symptom",
    "cmdb_ci",
    "impact",
    "urgency",
    "priority",
    "assignment_group",
    "assigned_to",
    "knowledge",
    "u_priority_confirmation",
    "notify",
    "problem_id",
    "rfc",
    "vendor",
    "caused_by",
    "closed_code",
    "resolved_by",
    "resolved_at",
    "closed_at",
)

MOMENTS = ("opened_at", "sys_created_at", "sys_updated_at", "resolved_at", "closed_at")
COUNTS = ("reassignment_count", "reopen_count", "sys_mod_count")

# Without one of these, a row cannot be assigned to an incident or to a point in its history.
REQUIRED = ("number", "sys_mod_count", "sys_updated_at", "opened_at", "incident_state")

# The log repeats their final value on every row of an incident, so they describe the incident, not the update.
FINAL = ("opened_at", "closed_code", "resolved_by", "resolved_at", "closed_at")

# Columns that an update can change. number and sys_updated_at are left out: they identify the event's task and time.
HISTORY = tuple(column for column in COLUMNS if column not in {*FINAL, "number", "sys_updated_at"})

DateFormat = Literal["day-first", "month-first"]
MOMENT_FORMATS: Mapping[DateFormat, str] = {
    "day-first": "a time of day as d/m/yyyy HH:MM, day first, UTC",
    "month-first": "a time of day as m/d/yyyy HH:MM, month first, UTC",
}
COUNT_FORMAT = "a whole number from 0 to 999999999"
STATE_FORMAT = "New, Active, Awaiting <something>, Resolved or Closed"


def expected(column: str, dates: DateFormat) -> str:
    """Return a description of the values that `column` accepts, for the report."""
    if column in MOMENTS:
        return MOMENT_FORMATS[dates]
    if column in COUNTS:
        return COUNT_FORMAT
    return STATE_FORMAT if column == "incident_state" else "the number of the incident, such as INC0000045"
