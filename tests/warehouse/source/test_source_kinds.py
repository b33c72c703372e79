"""Sources of every kind that PostgreSQL has: relations, columns, types, collations, locales and encodings."""

from __future__ import annotations

import pytest
from support.contents import contents
from support.warehouse import NO_TESTS, Warehouse, connect_as

from orchestration.config.files import Settings
from orchestration.errors import MisconfiguredError
from orchestration.warehouse.connection import connect
from orchestration.warehouse.init import initialize
from workshop.operational import create_operational_schema
from workshop.sample.load import load_sample
from workshop.services import LocalPostgres

pytestmark = pytest.mark.services

MARTS = (
    "insights.dim_tasks",
    "insights.dim_cases",
    "insights.fact_tasks",
    "insights.fact_cases",
    "insights.fact_wellbeing_checkins",
    "insights_ops.rejects",
)
# Each table of another kind than Orgo's own. Their rows stay the same.
KINDS = """
    alter table task_comments rename to stored_comments;
    create materialized view task_comments as select * from stored_comments;

    alter table roles rename to stored_roles;
    create view roles as select * from stored_roles;

    alter table task_events rename to stored_events;
    create table task_events (like stored_events) partition by hash (task_id);
    create table task_events_0 partition of task_events for values with (modulus 2, remainder 0);
    create table task_events_1 partition of task_events for values with (modulus 2, remainder 1);
    insert into task_events select * from stored_events;

    alter table learning_groups rename to stored_groups;
    create unlogged table learning_groups as select * from stored_groups;

    create extension postgres_fdw;
    create server far foreign data wrapper postgres_fdw
        options (host '{host}', port '{port}', dbname '{database}');
    create user mapping for public server far options (user 'postgres', password_required 'false');
    alter table entity_labels rename to stored_labels;
    create foreign table entity_labels (
        id uuid, organization_id uuid, label_id uuid, entity_type labelled_entity, entity_id uuid,
        applied_at timestamptz, created_at timestamptz, updated_at timestamptz
    ) server far options (table_name 'stored_labels');

    alter table user_accounts rename status to stored_status;
    alter table user_accounts add status text generated always as (trim(stored_status)) stored;

    create collation caseless (provider = icu, locale = 'und', deterministic = false);
    alter table tasks
        alter label type text collate caseless,
        alter type type text collate caseless,
        alter assignee_role type text collate caseless;
    alter table cases alter label type text collate caseless;
    alter table label_definitions alter code type text collate caseless;

    create domain "Orgo's title" as text check (value <> '');
    create domain moment as timestamptz not null;
    create domain score as int check (value between 1 and 10);
    alter table cases alter title type "Orgo's title";
    alter table tasks alter created_at type moment;
    alter table wellbeing_checkins alter score type score;
    alter type task_priority rename to "Task's ""priority"" level";
"""


def _initialize(warehouse: Warehouse) -> None:
    with connect(warehouse.admin_url) as connection:
        initialize(connection, warehouse.settings)


def _assert_loads_like(warehouse: Warehouse, built: Warehouse) -> None:
    others = ("dim_roles", "dim_labels", "bridge_entity_labels", "pattern_weekly")
    selected = [f"+{name}" for name in (*(relation.rpartition(".")[2] for relation in MARTS), *others)]
    loaded = warehouse.build("--select", *selected, *NO_TESTS)
    assert loaded.succeeded, loaded.output[-3000:]
    for relation in MARTS:
        assert contents(warehouse, relation) == contents(built, relation) != {}, relation


def test_relations_columns_and_types_of_every_kind_load_the_same(prepared: Warehouse, built: Warehouse) -> None:
    kinds = KINDS.format(host=prepared.postgres.socket_dir, port=prepared.value("show port"), database=prepared.name)
    prepared.execute(kinds)
    # The tables are others now, so the grants of the first `insights init` are gone with the old ones.
    _initialize(prepared)
    _assert_loads_like(prepared, built)


def _new_database(postgres: LocalPostgres, settings: Settings, name: str, options: str) -> Warehouse:
    with connect_as(postgres.url("postgres", "postgres")) as connection:
        connection.execute(f"create database {name} template template0 {options}")
    return Warehouse(name, postgres, settings)


def test_tokens_are_read_alike_in_a_turkish_database(
    postgres: LocalPostgres, settings: Settings, built: Warehouse
) -> None:
    turkish = _new_database(postgres, settings, "turkish", "locale_provider icu icu_locale 'tr-TR' encoding 'UTF8'")
    assert turkish.rows("select upper('info'), lower('UI')") == [("İNFO", "u\N{LATIN SMALL LETTER DOTLESS I}")]
    with connect(turkish.admin_url) as connection:
        load_sample(connection)
    # In the other case than the tokens of their enums.
    turkish.execute(
        """
        alter table tasks
            alter status drop default, alter status type text using lower(status::text collate "C"),
            alter severity drop default, alter severity type text using lower(severity::text collate "C"),
            alter priority drop default, alter priority type text using lower(priority::text collate "C");
        alter table cases alter status drop default, alter status type text using upper(status::text collate "C");
        """
    )
    _initialize(turkish)
    _assert_loads_like(turkish, built)


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_another_encoding_is_refused_with_the_remedy(
    postgres: LocalPostgres, settings: Settings, encoding: str
) -> None:
    name = f"in_{encoding.lower()}"
    warehouse = _new_database(postgres, settings, name, f"encoding '{encoding}' locale 'C'")
    with pytest.raises(MisconfiguredError) as refused:
        _initialize(warehouse)
    assert str(refused.value) == (
        f"The database {name} has the encoding {encoding}; UTF8 is needed. Copy it with pg_dump into a database that"
        " was created with: create database ... encoding 'UTF8' template template0"
    )


def test_columns_in_upper_case_are_refused_by_name(postgres: LocalPostgres, settings: Settings) -> None:
    warehouse = _new_database(postgres, settings, "upper_case", "encoding 'UTF8'")
    with connect(warehouse.admin_url) as connection:
        create_operational_schema(connection)
    warehouse.execute('alter table tasks rename status to "STATUS"; alter table tasks rename subtype to "subType"')
    with pytest.raises(MisconfiguredError) as refused:
        _initialize(warehouse)
    assert str(refused.value).startswith(
        'Columns of the schema public are named in other letters than the contract\'s: tasks."subType" (subtype),'
        ' tasks."STATUS" (status). Rename them, or put views'
    )
