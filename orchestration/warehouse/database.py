"""One connection to the warehouse with its names, and with PostgreSQL's errors translated to InsightsError."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Self
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from orchestration.config.files import Settings
from orchestration.errors import ConflictError, NotFoundError
from orchestration.warehouse.connection import open_session
from orchestration.warehouse.ids import canonical_id
from orchestration.warehouse.names import Names
from orchestration.warehouse.translation import Messages, translating

Parameters = Sequence[Any] | Mapping[str, Any] | None


@dataclass(frozen=True)
class Database:
    """One connection to the warehouse, with its settings.

    Every method raises PostgreSQL's errors as InsightsError; code that uses `connection` directly must do so in an
    `errors()` block. `messages` replace the default message of some kinds of error.
    """

    settings: Settings
    connection: psycopg.Connection
    messages: Messages = field(default_factory=dict)

    @classmethod
    @contextmanager
    def open(
        cls, settings: Settings, url: str | None = None, *, autocommit: bool = True, messages: Messages | None = None
    ) -> Iterator[Self]:
        """Connect to a URL, by default INSIGHTS_WAREHOUSE_URL, for a block.

        PostgreSQL's errors in the block become InsightsError too.
        """
        with translating(messages), open_session(url or settings.warehouse_url, autocommit=autocommit) as connection:
            yield cls(settings, connection, messages or {})

    def saying(self, messages: Messages) -> Self:
        """Return the same database with these messages for errors."""
        return replace(self, messages={**self.messages, **messages})

    @property
    def names(self) -> Names:
        """Schemas and relations."""
        return Names.of(self.settings)

    def mart(self, name: str) -> sql.Identifier:
        """The quoted name of a dimension, fact, report or pattern table."""
        return self.names.mart(name)

    def staging(self, name: str) -> sql.Identifier:
        """The quoted name of a staging or intermediate model."""
        return self.names.staging(name)

    def ops(self, name: str) -> sql.Identifier:
        """The quoted name of a table or function of the bookkeeping."""
        return self.names.ops(name)

    def source(self, name: str) -> sql.Identifier:
        """The quoted name of an operational table."""
        return self.names.source(name)

    def errors(self) -> AbstractContextManager[None]:
        """Return a context in which errors of `connection` become InsightsError."""
        return translating(self.messages)

    def execute(self, query: sql.Composed | str, parameters: Parameters = None) -> psycopg.Cursor:
        """Run a statement and return its cursor."""
        with self.errors():
            return self.connection.execute(query, parameters)

    def rows(self, query: sql.Composed | str, parameters: Parameters = None) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        return self.execute(query, parameters).fetchall()

    def records(self, query: sql.Composed, parameters: Parameters = None) -> list[dict[str, Any]]:
        """Return the rows of a query as dictionaries by column name."""
        with self.errors():
            return self.connection.cursor(row_factory=dict_row).execute(query, parameters).fetchall()

    def value(self, query: sql.Composed | str, parameters: Parameters = None) -> Any:
        """Return the first column of the first row; None if there is no row."""
        row = self.execute(query, parameters).fetchone()
        return row[0] if row else None

    def missing(self, relations: Mapping[str, sql.Identifier]) -> set[str]:
        """Return the keys of the relations that do not exist."""
        names = [relation.as_string(self.connection) for relation in relations.values()]
        query = "select key from unnest(%s::text[], %s::text[]) as given (key, name) where to_regclass(name) is null"
        with self.errors():
            return {key for (key,) in self.connection.execute(query, [list(relations), names], prepare=False)}

    def organization(self, given: str) -> UUID:
        """Return the id of the organization with this slug or id (in any case).

        An archived organization does not compete for its slug, because Orgo can give the slug of a deleted organization
        to a new one (decision D144). Raises NotFoundError if there is none, ConflictError if several have the slug, and
        NotBuiltError if organizations were never loaded.
        """
        id_ = canonical_id(given)
        query = sql.SQL("select organization_id, status from {} where slug = %s or organization_id = %s::uuid")
        statement = query.format(self.mart("dim_organizations"))
        with self.errors():
            try:
                rows = self.connection.execute(statement, [given, id_], prepare=False).fetchall()
            except (psycopg.DataError, UnicodeError):  # PostgreSQL cannot store the text
                rows = []
        if len(rows) > 1 and id_ is None:
            rows = [row for row in rows if row[1] != "archived"] or rows
        if len(rows) > 1:
            raise ConflictError(f"Several organizations have the slug {given!r}: give the id of one.")
        if not rows:
            raise no_organization(given)
        found: UUID = rows[0][0]
        return found


def no_organization(given: str) -> NotFoundError:
    """Return the error for an unknown organization slug or id."""
    return NotFoundError(f"There is no organization {given!r}: give a slug or id that `insights organizations` lists.")
