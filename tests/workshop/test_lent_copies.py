"""A copy that a test has borrowed serves the next test only if it is as it was."""

from __future__ import annotations

import pytest
from support.workshop.lent_copies import Copies

from orchestration.warehouse.connection import connect

pytestmark = pytest.mark.services

READ = "select count(*) from insights_ops.load_log"
WRITES = (
    "create table of_a_test ()",
    "select nextval('insights_ops.load_log_load_log_id_seq')",
    "create role of_a_test; drop role of_a_test",
)


@pytest.fixture(scope="module")
def copies(prepared_copies: Copies) -> Copies:
    return Copies(prepared_copies.template, prepared_copies.postgres, prepared_copies.settings)


def name_after(copies: Copies, *statements: str) -> str:
    with copies.lent() as warehouse:
        for statement in statements:
            warehouse.execute(statement)
        return warehouse.name


def test_a_copy_that_was_only_read_is_lent_again(copies: Copies) -> None:
    assert name_after(copies, READ) == name_after(copies, READ) == name_after(copies)


@pytest.mark.parametrize("statement", WRITES)
def test_a_copy_to_which_something_was_written_is_not(copies: Copies, statement: str) -> None:
    written = name_after(copies, statement)
    with connect(copies.postgres.url("postgres", "postgres")) as connection:
        assert not connection.execute("select from pg_database where datname = %s", [written]).fetchall()
    assert name_after(copies) != written


def test_a_copy_to_which_a_session_stays_connected_is_not(copies: Copies) -> None:
    with copies.lent() as warehouse:
        left = connect(warehouse.admin_url)
    left.close()
    assert name_after(copies) != warehouse.name
