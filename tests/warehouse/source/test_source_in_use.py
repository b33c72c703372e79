"""A source that is written throughout its loads: each load succeeds, and the next one takes in what one has missed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event
from uuid import UUID

import pytest
from support.contents import contents, difference, from_scratch, incremental, rebuilt, reports, reviews, row_of
from support.warehouse import NO_TESTS, Warehouse, connect_as

from workshop.sample.load import SAMPLE_AS_OF

pytestmark = pytest.mark.services

# Within the overlap of the last load, so that it is the load's snapshot, and not the time, which leaves rows out.
AT = "timestamptz '2025-12-31 20:00+00'"
OPEN = "select id, organization_id from tasks where status = 'IN_PROGRESS' and requester_person_id is null order by id"
HOMES = "select organization_id, array_agg(id order by id) from cases group by organization_id"
EVENT = """
    insert into task_events (id, task_id, organization_id, event_type, created_at)
    select gen_random_uuid(), id, organization_id, '{kind}', {at} from tasks where id = %({task})s
"""
CLOSE = "update tasks set status = 'COMPLETED', closed_at = {at}, updated_at = {at} where id = %(task)s"
MOVE = "update tasks set case_id = %(case)s, updated_at = {at} where id = %(task)s"
OPEN_ANOTHER = """
    insert into tasks (id, organization_id, case_id, type, category, label, title, status, priority, severity,
        visibility, source, created_at, updated_at)
    select %(new)s, organization_id, %(case)s, type, category, label, title, 'PENDING', priority, severity,
        visibility, source, {at}, {at}
    from tasks where id = %(task)s
"""
COMMENT = """
    insert into task_comments (id, task_id, body, created_at, updated_at)
    values (gen_random_uuid(), %(task)s, 'SECRET-BODY', {at}, {at})
"""
RENAME = "update cases set title = 'changed', updated_at = {at} where id = %(case)s"
# Each is a transaction, as Orgo's back end writes: a row, and the event that tells of it.
CHANGES = [
    [statement.format(at=AT) for statement in transaction]
    for transaction in (
        (CLOSE, EVENT.replace("{kind}", "status_changed").replace("{task}", "task")),
        (OPEN_ANOTHER, EVENT.replace("{kind}", "created").replace("{task}", "new")),
        (MOVE,),
        (COMMENT,),
        (RENAME,),
    )
]


@dataclass
class Writers:
    """Sessions that change the source until they are stopped; `written` counts the transactions of all."""

    written: int = 0
    stop: Event = field(default_factory=Event)

    def run(self, warehouse: Warehouse, share: int) -> None:
        """Change every second open task in turn, so that two writers never wait for each other's tasks."""
        choose = random.Random(share)  # noqa: S311 - a reproducible order
        tasks: list[tuple[UUID, UUID]] = [(i, o) for i, o in warehouse.rows(OPEN)][share::2]
        homes: dict[UUID, list[UUID]] = dict(warehouse.rows(HOMES))
        with connect_as(warehouse.admin_url) as session:
            while not self.stop.wait(0.02):
                task, organization = choose.choice(tasks)
                values = {
                    "task": str(task),
                    "case": choose.choice(homes.get(organization, [None])),
                    "new": _uuid(choose),
                }
                with session.transaction():
                    for statement in choose.choice(CHANGES):
                        session.execute(statement, values)
                self.written += 1


def _uuid(choose: random.Random) -> UUID:
    return UUID(int=choose.getrandbits(128), version=4)


@contextmanager
def _writing(warehouse: Warehouse) -> Iterator[Writers]:
    writers = Writers()
    with ThreadPoolExecutor(2) as pool:
        running: list[Future[None]] = [pool.submit(writers.run, warehouse, share) for share in range(2)]
        try:
            yield writers
        finally:
            writers.stop.set()
            for one in running:
                one.result()


def test_loads_of_a_source_in_use_end_with_the_numbers_of_a_quiet_one(built: Warehouse) -> None:
    with _writing(built) as writers:
        for _ in range(2):
            before = writers.written
            load = built.build(*NO_TESTS)
            assert load.succeeded, load.output[-2000:]
            assert writers.written > before
    last = built.build()
    assert last.succeeded, last.output[-2000:]

    fresh = from_scratch(built, SAMPLE_AS_OF)
    for relation in (*incremental(), *reviews()):
        found = difference(built, fresh, relation)
        assert (found.only_first, found.only_second, found.unequal) == (set(), set(), set()), relation
    for relation in (*rebuilt(), *reports()):
        key = row_of(relation)
        assert contents(built, relation, key) == contents(fresh, relation, key), relation
