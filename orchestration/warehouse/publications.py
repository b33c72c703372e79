"""The state of a serving database: what `insights publish` has copied to it, when, and of which loads (D281)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from psycopg import sql

from orchestration.warehouse.database import Database
from orchestration.warehouse.status import judged_at

_NEWEST = """
    select
        publication_id, published_at, loaded_through, snapshot_moment,
        coalesce(organization, organization_id::text, 'all organizations'), release
    from {publications}
    order by publication_id desc
    limit 1
"""
_RELATIONS = """
    select
        here.relation_name, here.schema_name, here.identifier, here.row_count, load.as_of, load.horizon, load.logged_at,
        of_rows.published_at
    from {published_relations} as here
    left join {publications} as of_rows on here.publication_id = of_rows.publication_id
    left join lateral (
        select log.as_of, log.horizon, log.logged_at
        from {load_log} as log
        where log.relation_name = here.relation_name
        order by log.load_log_id desc
        limit 1
    ) as load on true
    order by here.relation_name
"""


@dataclass(frozen=True)
class Publication:
    """The newest publication that changed something; moments in UTC.

    Changes before `loaded_through` are included; the snapshot was taken at `snapshot_moment`. `is_late` says whether
    `loaded_through` is longer ago than `warehouse.publication_late_hours`.
    """

    number: int
    published_at: datetime
    loaded_through: datetime
    snapshot_moment: datetime
    whose: str
    release: str
    is_late: bool


@dataclass(frozen=True)
class PublishedRelation:
    """A relation that is kept equal to a file.

    `rows` are stored now, None without its table; `published_rows` were copied. `as_of`, the horizon `data_up_to`
    (exclusive) and `loaded_at` (UTC) are those of its load in the file, None for a view, which no load writes.
    `published_at` (UTC) is when its rows were last written here.
    """

    name: str
    rows: int | None
    published_rows: int
    as_of: date | None
    data_up_to: date | None
    loaded_at: datetime | None
    published_at: datetime | None

    @property
    def is_changed(self) -> bool:
        """Whether it has another number of rows than was published."""
        return self.rows != self.published_rows


@dataclass(frozen=True)
class ServingStatus:
    """The state of a serving database; `publication` is None if nothing was published to it."""

    environment: str
    read_at: datetime
    publication: Publication | None
    relations: list[PublishedRelation]

    @property
    def changed(self) -> list[str]:
        """The names of the relations that have other rows than were published."""
        return [relation.name for relation in self.relations if relation.is_changed]

    @property
    def is_in_order(self) -> bool:
        """Whether something is published, its data is not late, and every relation has its rows."""
        return self.publication is not None and not self.publication.is_late and not self.changed


def is_serving(db: Database) -> bool:
    """Return whether publications write this database, or will: it is that of a file, or has been published to.

    A role that may not read the publications, such as that of readers, sees a warehouse unless a file is configured.
    """
    if db.settings.is_duckdb:
        return True
    table = db.ops("publications")
    may_read = "select coalesce(has_table_privilege(to_regclass(%s), 'select'), false)"
    if not db.value(may_read, [table.as_string(db.connection)]):
        return False
    return bool(db.value(sql.SQL("select exists (select from {})").format(table)))


def read_serving_status(db: Database) -> ServingStatus:
    """Return the state of a serving database; raises NotPreparedError without `insights init`."""
    now = db.value("select now()").astimezone(UTC)
    return ServingStatus(db.settings.environment, now, newest_publication(db), published(db, counts_rows=True))


def newest_publication(db: Database) -> Publication | None:
    """Return the newest publication; None if there is none. As of INSIGHTS_AS_OF, if it is set, like `judged_at`."""
    rows = db.rows(sql.SQL(_NEWEST).format(publications=db.ops("publications")))
    if not rows:
        return None
    number, published_at, through, moment, whose, release = rows[0]
    limit = timedelta(hours=db.settings.insights.warehouse.publication_late_hours)
    utc = (published_at.astimezone(UTC), through.astimezone(UTC), moment.astimezone(UTC))
    return Publication(number, *utc, whose, release, is_late=judged_at(db) - through > limit)


def published(db: Database, *, counts_rows: bool) -> list[PublishedRelation]:
    """Return what is published, by name. Without `counts_rows`, `rows` are those that were published."""
    names = ("published_relations", "publications", "load_log")
    query = sql.SQL(_RELATIONS).format(**{name: db.ops(name) for name in names})
    found = []
    for name, schema, identifier, expected, as_of, horizon, *moments in db.rows(query):
        rows = _rows(db, sql.Identifier(schema, identifier)) if counts_rows else expected
        found.append(PublishedRelation(name, rows, expected, as_of, horizon, *map(_utc, moments)))
    return found


def _rows(db: Database, table: sql.Identifier) -> int | None:
    if db.missing({"table": table}):
        return None
    return int(db.value(sql.SQL("select count(*) from {}").format(table)))


def _utc(moment: Any) -> datetime | None:
    return moment.astimezone(UTC) if moment else None
