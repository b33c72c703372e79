"""An export request, and the checks of its export, range, format and user."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from psycopg import sql

from orchestration.errors import BadInputError, NotFoundError, NotPreparedError
from orchestration.exports.definitions import Definition
from orchestration.exports.names import EXTENSIONS
from orchestration.warehouse.database import Database
from orchestration.warehouse.ids import canonical_id

# After an upgrade, insights init comes first: the load refuses to run without it.
NOT_LOADED = (
    "The first load of this release has not yet prepared exports ({detail}). Run: insights init, then insights build"
)
FORMATS = EXTENSIONS


@dataclass(frozen=True)
class Request:
    """An unchecked export request. Days are UTC; `since` is inclusive, `until` exclusive."""

    name: str
    organization: str
    since: date
    until: date
    file_format: str
    user: str
    output: str


def find_definition(definitions: dict[str, Definition], request: Request) -> Definition:
    """Return the requested export; raises NotFoundError for its name, BadInputError for format or range."""
    definition = definitions.get(request.name)
    if definition is None:
        raise NotFoundError(f"There is no export {request.name}. There are: {', '.join(sorted(definitions))}")
    if request.file_format not in FORMATS:
        raise BadInputError(f"The format is {request.file_format}; it must be one of {', '.join(FORMATS)}.")
    if request.since >= request.until:
        raise BadInputError(f"--from {request.since} must be before --to {request.until}, which is exclusive.")
    if definition.kind == "aggregate" and (request.since.day, request.until.day) != (1, 1):
        raise BadInputError(
            f"{definition.name} has whole months: --from and --to must be first days of months, not"
            f" {request.since} and {request.until} (decision D12)."
        )
    return definition


def check_user(db: Database, organization_id: UUID, given: str) -> UUID:
    """Return the id of the requesting user; raises NotFoundError unless it is an active user of the organization.

    The message is the same for every reason, so that it does not reveal users of other organizations.
    """
    query = sql.SQL("select {}(%s::uuid, %s::uuid)").format(db.ops("active_user"))
    found: UUID | None = db.saying({NotPreparedError: NOT_LOADED}).value(query, [organization_id, canonical_id(given)])
    if found is None:
        raise NotFoundError(f"The organization has no active user {given}; --user must be the id of one.")
    return found
