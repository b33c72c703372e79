"""Brings one table of the serving database to the form and the rows that the file has, within a transaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from psycopg import sql

from orchestration.errors import BusyError, ConflictError, FailedError
from orchestration.publishing.definitions import Definition
from orchestration.publishing.source import Count, Source
from orchestration.publishing.values import recounted
from orchestration.warehouse.database import Database

_COPY = sql.SQL("copy {} ({}) from stdin (format csv, encoding 'utf8')")
_COMMENTS = """
    select wanted.name, wanted.description
    from unnest(%(columns)s::text[], %(texts)s::text[]) as wanted (name, description)
    left join pg_attribute as a on a.attrelid = %(relation)s::regclass and a.attname = wanted.name
    where
        case
            when wanted.name is null then obj_description(%(relation)s::regclass, 'pg_class')
            else col_description(a.attrelid, a.attnum)
        end is distinct from nullif(wanted.description, '')
"""
# Of rights that the owner of the table has given: those of a column end with those of the table.
_RIGHTS = """
    with given as (select oid, relowner, relacl from pg_class where oid = %s::regclass),
    entries as (
        select relacl as acl from given
        union all select attacl from pg_attribute where attrelid = (select oid from given)
    )
    select distinct
        format(
            'revoke all on %%s from %%s',
            given.oid::regclass,
            case right_.grantee when 0 then 'public' else right_.grantee::regrole::text end
        )
    from given, entries, aclexplode(entries.acl) as right_
    where right_.grantor = given.relowner and right_.grantee <> given.relowner
"""


@dataclass(frozen=True)
class Change:
    """A statement that changes the form of a table; `is_before` says whether it comes before the rows."""

    is_before: bool
    statement: str
    read_column: str | None


def is_missing(db: Database, definition: Definition) -> bool:
    """Return whether the serving database has no such table."""
    return bool(db.missing({definition.name: definition.relation}))


def rows_of(db: Database, definition: Definition) -> int:
    """Return how many rows the stored table has."""
    return int(db.value(sql.SQL("select count(*) from {}").format(definition.relation)))


def changes_of(db: Database, definition: Definition) -> list[Change]:
    """Return how the form of the stored table must change; raises ConflictError if a view keeps it from that."""
    for statement in (definition.make, *definition.made_indexes):
        db.execute(statement)
    changes = [Change(*row) for row in db.rows(definition.changes)]
    db.execute(definition.drop_made)
    if read := [change.read_column for change in changes if change.read_column]:
        raise ConflictError(
            f"The column {read[0]} of {definition.schema}.{definition.identifier} has another type now, and a view"
            " reads it. Drop the view, run insights publish, then create it again."
        )
    return changes


def create(db: Database, definition: Definition, source: Source, step: Callable[[int], None]) -> int:
    """Make a table with the rows of the file, then its indexes; returns the number of rows."""
    db.execute(definition.create)
    rows = _copy(db, definition, definition.relation, source, step)
    for statement in definition.indexes:
        db.execute(statement)
    return rows


def replace(
    db: Database, definition: Definition, source: Source, changes: list[Change], step: Callable[[int], None]
) -> int:
    """Give a table the rows of the file; returns how many were deleted and inserted.

    Only rows that differ are written, so that readers, who see the former rows until the transaction ends, wait for
    nothing. Where the form changes, all rows are written, and readers wait from the lock on.
    """
    db.execute(definition.make)
    _copy(db, definition, definition.made, source, step)
    db.execute(sql.SQL("analyze {}").format(definition.made))
    if definition.replacement and not changes:
        db.execute("set local enable_mergejoin = off")  # as in the macro replace_other_rows
        written = sum(db.execute(statement).rowcount for statement in definition.replacement)
        db.execute("set local enable_mergejoin to default")
    else:
        if changes:
            db.execute(definition.lock)
        written = db.execute(sql.SQL("delete from {}").format(definition.relation)).rowcount
        for change in changes:
            if change.is_before:
                db.execute(change.statement)
        insert = sql.SQL("insert into {table} ({columns}) select {columns} from {made}")
        parts = {"table": definition.relation, "columns": definition.column_names, "made": definition.made}
        written += db.execute(insert.format(**parts)).rowcount
        for change in changes:
            if not change.is_before:
                db.execute(change.statement)
    db.execute(definition.drop_made)
    return written


def finish(db: Database, definition: Definition, wanted: Count) -> None:
    """Give a table its statistics and the names of its indexes, and compare its rows with those of the file.

    Raises FailedError if they differ.
    """
    db.execute(sql.SQL("analyze {}").format(definition.relation))
    for (statement,) in db.rows(definition.index_names) if definition.index_names else []:
        db.execute(statement)
    found = Count(*db.rows(recounted(definition.columns, definition.relation.as_string()))[0])
    if found != wanted:
        raise FailedError(
            f"{definition.schema}.{definition.identifier} would have {found.rows:,} rows with the checksum"
            f" {found.checksum}, and the file has {wanted.rows:,} with {wanted.checksum}. Nothing was published."
        )


def describe(db: Database, definition: Definition) -> None:
    """Give a table its comments, of which only those are written that differ, and its rights.

    Raises BusyError if sessions that read it keep it from its row-level security for some seconds.
    """
    columns, texts = zip(*definition.comments, strict=True)
    given = {"columns": list(columns), "texts": list(texts), "relation": definition.relation.as_string()}
    for column, text in db.rows(_COMMENTS, given):
        kind = sql.SQL("column {}.{}").format(definition.relation, sql.Identifier(column)) if column else None
        on = kind or sql.SQL("table {}").format(definition.relation)
        db.execute(sql.SQL("comment on {} is {}").format(on, sql.Literal(text)))
    if definition.rights.strip():
        _give_rights(db, definition)


def _give_rights(db: Database, definition: Definition) -> None:
    cursor, has_more = db.execute(definition.rights), True
    while has_more:  # each of the statements has a result
        is_restriction = cursor.description and cursor.description[0].name == "restrict_rows"
        if is_restriction and cursor.fetchall() == [(False,)]:
            raise BusyError(
                f"Other sessions read {definition.schema}.{definition.identifier}, so its row-level security could not"
                " be set, and logins of single organizations would lose it. Nothing was published: run insights publish"
                " again when their transactions have ended."
            )
        has_more = bool(cursor.nextset())


def empty(db: Database, schema: str, identifier: str) -> bool:
    """Delete the rows of a table that is no longer published, and revoke the rights of others on it.

    Returns whether there is such a table.
    """
    relation = sql.Identifier(schema, identifier)
    if db.missing({identifier: relation}):
        return False
    db.execute(sql.SQL("delete from {}").format(relation))
    for (statement,) in db.rows(_RIGHTS, [relation.as_string(db.connection)]):
        db.execute(statement)
    return True


def _copy(
    db: Database, definition: Definition, table: sql.Identifier, source: Source, step: Callable[[int], None]
) -> int:
    copied = 0
    statement = _COPY.format(table, definition.column_names)
    with db.errors(), db.connection.cursor() as cursor, cursor.copy(statement) as copy:
        for portion, rows in source.rows(definition):
            copy.write(portion)
            copied += rows
            step(rows)
    return copied
