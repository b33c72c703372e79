"""What somebody asks for, and whether it may be: the export, the organization, the user, the range, the format."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID

import psycopg
from psycopg import sql

from orchestration.config.files import Settings
from orchestration.errors import InsightsError
from orchestration.exports.definitions import Definition

FORMATS = ("csv", "csv.gz", "jsonl")


@dataclass(frozen=True)
class Request:
    """An export as it was asked for; nothing of it is checked. Days are UTC: `since` is in it, `until` is not."""

    name: str
    organization: str
    since: date
    until: date
    file_format: str
    user: str
    output: str


def find_definition(definitions: dict[str, Definition], request: Request) -> Definition:
    """The export that is asked for; raises InsightsError when there is none, or its range or format cannot be."""
    definition = definitions.get(request.name)
    if definition is None:
        raise InsightsError(f"There is no export {request.name}. There are: {', '.join(sorted(definitions))}")
    if request.file_format not in FORMATS:
        raise InsightsError(f"The format is {request.file_format}; it must be one of {', '.join(FORMATS)}.")
    if request.since >= request.until:
        raise InsightsError(f"--from {request.since} must be before --to {request.until}, which is not in the export.")
    if definition.kind == "aggregate" and (request.since.day, request.until.day) != (1, 1):
        raise InsightsError(
            f"{definition.name} has whole months: --from and --to must be first days of months,"
            f" and are {request.since} and {request.until} (decision D12)."
        )
    return definition


def check_user(connection: psycopg.Connection, settings: Settings, organization_id: UUID, given: str) -> UUID:
    """The id of the user who asks; raises InsightsError unless the organization has such a user, who is active.

    The message is the same whatever is wrong: it does not tell who is a user of another organization.
    """
    view = sql.Identifier(f"{settings.insights.warehouse.schema_name}_staging", "stg_user_accounts")
    query = "select user_id from {} where user_id::text = lower(%s) and organization_id = %s and status = 'active'"
    row = connection.execute(sql.SQL(query).format(view), [given, organization_id]).fetchone()
    if row is None:
        raise InsightsError(f"The organization has no active user {given}; --user must be the id of one.")
    found: UUID = row[0]
    return found
