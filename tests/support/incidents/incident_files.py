"""Write small handmade incident logs."""

import csv
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

# The header of the published log, independent of the importer's list.
COLUMNS: list[str] = (  # noqa: SIM905 - the header as in the file
    "number,incident_state,active,reassignment_count,reopen_count,sys_mod_count,made_sla,caller_id,opened_by,opened_at,"
    "sys_created_by,sys_created_at,sys_updated_by,sys_updated_at,contact_type,location,category,subcategory,u_symptom,"
    "cmdb_ci,impact,urgency,priority,assignment_group,assigned_to,knowledge,u_priority_confirmation,notify,problem_id,"
    "rfc,vendor,caused_by,closed_code,resolved_by,resolved_at,closed_at"
).split(",")

Row = dict[str, str]

FIRST: Row = dict.fromkeys(COLUMNS, "?") | {
    "number": "INC0000001",
    "incident_state": "New",
    "active": "true",
    "reassignment_count": "0",
    "reopen_count": "0",
    "sys_mod_count": "0",
    "made_sla": "true",
    "caller_id": "Caller 1",
    "opened_by": "Opened by  1",
    "opened_at": "29/2/2016 23:50",
    "sys_updated_by": "Updated by 1",
    "sys_updated_at": "1/3/2016 00:10",
    "contact_type": "Phone",
    "location": "Location 1",
    "category": "Category 1",
    "subcategory": "Subcategory 1",
    "impact": "2 - Medium",
    "urgency": "2 - Medium",
    "priority": "3 - Moderate",
    "assignment_group": "Group 1",
}


def history(*changes: Row, start: Row = FIRST) -> list[Row]:
    """Return `start` and one more row per change, which is the previous row with that change.

    sys_mod_count increases by one and sys_updated_at by one day unless the change sets them.
    """
    rows = [start]
    for change in changes:
        before = rows[-1]
        day, rest = before["sys_updated_at"].split("/", 1)
        step = {"sys_mod_count": str(int(before["sys_mod_count"]) + 1), "sys_updated_at": f"{int(day) + 1}/{rest}"}
        rows.append(before | step | change)
    return rows


def incident(number: str, *changes: Row, **first: str) -> list[Row]:
    """Return the history of another incident, which begins with FIRST and the values of `first`."""
    return history(*changes, start=FIRST | {"number": number} | first)


def write_csv(path: Path, rows: Iterable[Row], columns: Sequence[str] = COLUMNS) -> Path:
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, columns, restval="?", extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_zip(path: Path, *members: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member in members:
            archive.write(member, member.name)
    return path


def report_rows(report: Path) -> list[Row]:
    with report.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))
