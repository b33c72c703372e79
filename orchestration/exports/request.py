"""What somebody asks for, and whether it may be: the export, the organization, the user, the range, the format."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from psycopg import sql

from orchestration.errors import BadInputError, NotFoundError
from orchestration.exports.definitions import Definition
from orchestration.warehouse.database import Database

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
    """The export that is asked for; raises NotFoundError or BadInputError."""
    definition = definitions.get(request.name)
    if definition is None:
        raise NotFoundError(f"There is no export {request.name}. There are: {', '.join(sorted(definitions))}")
    if request.file_format not in FORMATS:
        raise BadInputError(f"The format is {request.file_format}; it must be one of {', '.join(FORMATS)}.")
    if request.since >= request.until:
        raise BadInputError(f"--from {request.since} must be before --to {request.until}, which is not in the export.")
    if definition.kind == "aggregate" and (request.since.day, request.until.day) != (1, 1):
        raise BadInputError(
            f"{definition.name} has whole months: --from and --to must be first days of months,"
            f" and are {request.since} and {request.until} (decision D12)."
        )
    return definition


def check_user(db: Database, organization_id: UUID, given: str) -> UUID:
    """The id of the user who asks; raises NotFoundError unless the organization has such a user, who is active.

    The message is the same whatever is wrong: it does not tell who is a user of another organization.
    """
    query = "select user_id from {} where user_id::text = lower(%s) and organization_id = %s and status = 'active'"
    found: UUID | None = db.value(sql.SQL(query).format(db.staging("stg_user_accounts")), [given, organization_id])
    if found is None:
        raise NotFoundError(f"The organization has no active user {given}; --user must be the id of one.")
    return found
