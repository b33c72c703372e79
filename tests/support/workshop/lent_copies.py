"""Copies of a database that tests borrow: one to which nothing was written serves the next test too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count

from support.dashboards import pools
from support.warehouse import Warehouse, drop_database

from orchestration.config.files import Settings
from orchestration.warehouse.connection import connect
from workshop.services import LocalPostgres

_numbers = count()

# Whatever writes has a transaction id, sequences and roles included: the next id of the server tells whether any did.
NEXT_ID = "select pg_snapshot_xmax(pg_current_snapshot())::text"
SESSIONS = "select count(*) from pg_stat_activity where datname = %s"


@dataclass
class Copies:
    """Copies of one database in the server of the tests."""

    template: str
    postgres: LocalPostgres
    settings: Settings
    unused: list[Warehouse] = field(default_factory=list)

    @contextmanager
    def lent(self) -> Iterator[Warehouse]:
        """Yield a copy for one test; afterwards it is kept if it is as before and has no session, else dropped."""
        if not self.unused:
            name = f"{self.template}_{next(_numbers)}"
            self.unused.append(Warehouse.copy_of(self.template, name, self.postgres, self.settings))
        warehouse = self.unused.pop()
        before = self._value(NEXT_ID)
        yield warehouse
        pools.close_all()
        if self._value(NEXT_ID) == before and not self._value(SESSIONS, warehouse.name):
            self.unused.append(warehouse)
        else:
            drop_database(self.postgres, warehouse.name)

    def _value(self, query: str, *parameters: str) -> object:
        with connect(self.postgres.url("postgres", "postgres")) as connection:
            ((found,),) = connection.execute(query.encode(), parameters).fetchall()
        return found
