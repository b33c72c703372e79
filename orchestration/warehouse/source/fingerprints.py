"""Remembers which old rows the operational tables have, so that a load looks for late ones only where these differ."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version

from psycopg import sql

from orchestration.config.files import PROJECT, dbt_variables
from orchestration.warehouse.database import Database


@dataclass(frozen=True)
class Compared:
    """A table whose old rows loads would otherwise compare with what is stored (decision D256).

    `created` is the column that says when a row was created; without one, all rows are old. `hashed` are the columns of
    type uuid that identify a row, and in events and comments those that say which task it belongs to.
    """

    created: str | None = "created_at"
    hashed: tuple[str, ...] = ("id",)


COMPARED = {
    "organizations": Compared(created=None),  # a new one can have old tasks
    "tasks": Compared(),
    "task_events": Compared(hashed=("id", "task_id", "organization_id")),
    "task_comments": Compared(hashed=("id", "task_id")),
    "cases": Compared(),
    "person_profiles": Compared(),
}
# The last of these parts of the overlap is left to the dates: 15 minutes of six hours. A transaction that takes longer
# makes the next load compare a table for nothing.
PARTS = 24
KEPT = 100  # loads of each table; a relation that was last loaded before them is compared row by row
NEVER = "-infinity"


@dataclass(frozen=True)
class Fingerprint:
    """The old rows of a table, those that were created before a moment, as the sum of their hashed ids.

    `claim` is the load that made it, `rules` its release and a hash of what decides which rows a load accepts, and
    `unchanged_since` the first load whose relations have read all of these rows by these rules.
    """

    claim: int
    until: str
    id_sum: int
    rules: str
    unchanged_since: int


@dataclass(frozen=True)
class IdSums:
    """What one pass over a table found: the sums of the rows of the last fingerprint, and of those of the new one.

    Both are None for a table whose ids or dates have drifted to another type.
    """

    known: int | None
    now: int | None


UNKNOWN = IdSums(None, None)


@dataclass(frozen=True)
class Fingerprints:
    """The newest stored fingerprints by table, and the moment up to which this load makes new ones."""

    known: Mapping[str, Fingerprint]
    until: str
    rules: str

    @classmethod
    def of(cls, db: Database, as_of: date) -> Fingerprints:
        """Read them; `as_of` is the day of the load.

        A moment lies a part of the overlap before the end of the load: then transactions that are under way change no
        fingerprint, and no row is younger than a fingerprint but too old for the next load. It goes back only if the
        clock was ahead.
        """
        query = sql.SQL(
            """
            select distinct on (table_name)
                table_name, claim_number, counted_until::text, id_sum, rules, unchanged_since
            from {} order by table_name, claim_number desc
            """
        ).format(db.ops("source_fingerprints"))
        known = {table: Fingerprint(*rest) for table, *rest in db.rows(query)}
        moment = sql.SQL(
            """
            select greatest(
                least(clock_timestamp(), (%s::date)::timestamp at time zone 'UTC') - make_interval(hours => %s) / %s,
                (select max(counted_until) from {} where counted_until <= clock_timestamp())
            )::text
            """
        ).format(db.ops("source_fingerprints"))
        until = db.value(moment, [as_of, db.settings.insights.etl.overlap_hours, PARTS])
        return cls(known, until, _rules(db))

    def sums(self, table: str, created: sql.Composable | None) -> list[sql.Composable]:
        """Return the two columns of a query over a table that `IdSums` takes; without a date, all rows are old.

        Moments are literals, which postgres_fdw passes on.
        """
        known = self.known[table].until if table in self.known else NEVER
        hashes = [sql.SQL("uuid_hash({})").format(sql.Identifier(column)) for column in COMPARED[table].hashed]
        # Not one sum for each column, which would stay the same if two rows exchanged their values. NULL counts as 0.
        mixed = sql.SQL(" # ").join(sql.SQL("coalesce({}, 0)").format(one) for one in hashes)
        summed = sql.SQL("coalesce(sum({}){}, 0)")
        if created is None:
            return [summed.format(mixed, sql.SQL(""))] * 2
        is_old = sql.SQL(" filter (where {} < {}::timestamptz)")
        return [summed.format(mixed, is_old.format(created, sql.Literal(moment))) for moment in (known, self.until)]

    def store(self, db: Database, claim: int, found: Mapping[str, IdSums]) -> None:
        """Store what this load found, and forget what no load compares any more."""
        statement = sql.SQL(
            """
            insert into {} as stored (table_name, claim_number, counted_until, id_sum, rules, unchanged_since)
            values (%s, %s, %s, %s, %s, %s)
            on conflict (table_name, claim_number) do update set
                counted_until = excluded.counted_until,
                id_sum = excluded.id_sum,
                rules = excluded.rules,
                unchanged_since = excluded.unchanged_since
            """
        ).format(db.ops("source_fingerprints"))
        for table, sums in found.items():
            if sums.now is not None:
                since = self._unchanged_since(table, claim, sums)
                db.execute(statement, [table, claim, self.until, sums.now, self.rules, since])
        forget = sql.SQL(
            """
            delete from {0} as old
            where old.claim_number < (
                select kept.claim_number from {0} as kept
                where kept.table_name = old.table_name
                order by kept.claim_number desc offset %s limit 1
            )
            """
        ).format(db.ops("source_fingerprints"))
        db.execute(forget, [KEPT - 1])

    def _unchanged_since(self, table: str, claim: int, sums: IdSums) -> int:
        known = self.known.get(table)
        if known and (known.id_sum, known.rules) == (sums.known, self.rules):
            return known.unchanged_since
        # What this load has written before it looked again did not read the rows that are new.
        return claim + 1 if known and known.claim == claim else claim


def _rules(db: Database) -> str:
    """Return the release with a hash of the variables, SQL and seeds, which decide together what a load accepts."""
    digest = hashlib.sha256(json.dumps(dbt_variables(db.settings), sort_keys=True).encode())
    for folder, pattern in (("macros", "*.sql"), ("models", "*.sql"), ("seeds", "*.csv")):
        for file in sorted((PROJECT / folder).rglob(pattern)):
            digest.update(file.read_bytes())
    return f"{version('orgo-insights')} {digest.hexdigest()}"
