"""What engines do differently is in `macros/warehouse/<engine>/`, and nowhere else."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest
from support.policy import ENGINES, Node, macros, nodes

from orchestration.config.files import PROJECT
from orchestration.warehouse.duckdb.file import columns_of

# Constructs that one engine has and another lacks, or that mean something else there.
OF_ONE_ENGINE = {
    "a cast by ::": r"::",
    "an operator on JSON": r"->>|#>",
    "a function of jsonb": r"\bjsonb_\w+\(|\bto_jsonb\(",
    "a function of json": r"\bto_json\(|\bjson(?:_type|_extract\w*|_object|_array|_merge_patch)?\(",
    "the catalog": r"\bpg_(?!catalog\b)\w+|\bregclass\b|\bregprocedure\b|\bduckdb_\w+\(|\binformation_schema\b",
    "a row's place": r"\bctid\b",
    "a temporary table": r"\btemporary table\b|\bon commit drop\b|\bpg_temp\b",
    "a date as text": r"\bto_char\(|(?<!\.)\bstrftime\(|\bdayname\(|\bmonthname\(",
    "an interval of numbers": r"\bmake_interval\(|\bto_(?:micro)?seconds\(",
    "seconds as a binary fraction": r"\bextract\(epoch\b|\bepoch_us\(",
    "a range": r"\b(?:date|ts|tstz|int4|int8)range\(",
    "a function of arrays": r"\barray_remove\(|\bcardinality\(|\blist_\w+\(|\bflatten\(",
    "a function of aggregates": r"\bmode\(|\bevery\(|\bhistogram\(",
    "a collation": r"\bcollate\b",
    "letters of a locale": r"\b(?:upper|lower)\(",
    "spaces of a locale": r"\btrim\((?!both )",
    "a quotient as text of an engine": r"\bround\(",
    "a hash of an engine": r"\bhash(?:_record_extended)?\(",
    "a setting": r"\bset local\b|\bcurrent_setting\(|\bset_config\(",
    "a select without columns": r"\bselect\s+from\b",
    "a right": r"\bgrant (?:select|usage|execute)\b|\bhas_\w+_privilege\(",
    # What PostgreSQL and DuckDB share, and Snowflake lacks or means otherwise.
    "a filter of an aggregate": r"\bfilter\s*\(\s*where\b",
    "a text of a group": r"\bstring_agg\(|\bconcat_ws\(",
    "a literal of a moment": r"\btimestamptz '",
    "a time zone after a moment": r"\bat time zone\b",
    "an array in brackets": r"\barray\[|\bunnest\(|= any\(",
    "the greatest without NULL": r"\b(?:greatest|least)\(",
    "a hint for a CTE": r"\bas (?:not )?materialized\b",
    "the moment of the transaction": r"\bnow\(\)",
    # What BigQuery lacks or means otherwise.
    "a name of a type": r"\bas (?:text|uuid|varchar|double precision|timestamp with time zone)\)",
    "an interval in quotes": r"\binterval '",
    "a truncated date": r"\bdate_trunc\(",
    "a part of a text": r"\bsplit_part\(",
    "a percentile": r"\bpercentile_cont\(",
    "a hash as text": r"\bmd5\(",
    "a deletion beside a relation": r"\bdelete from\b[^;]*?\busing\b",
    "a union without a kind": r"\bunion\s+(?!all\b|distinct\b)",
    "rows of values": r"\bfrom \(\s*values\b|\bcross join \(\s*values\b",
    "a relation beside a row": r"\bjoin lateral\b",
}

# Macros that only `follows_changes` calls, which no engine but PostgreSQL has.
OF_POSTGRES = {
    "changed_backlog_spans",
    "days_of_changed_outcomes",
    "domains_with_other_profiles",
    "former_open_times",
    "one_row_of_each_domain",
    "rows_as_of",
    "trend_shares",
    "trends_changed_since",
}

# Jinja joins texts by the same sign, so it is looked for outside expressions.
OPERATOR = {"a regular expression by an operator": r" !?~\*? "}


def of_one_engine(sql: str) -> list[str]:
    """Return what a text of SQL, without its comments, has of one engine only."""
    code = re.sub(r"\{#.*?#\}|--[^\n]*", "", sql, flags=re.S)
    statements = re.sub(r"raise_compiler_error\(.*?\)\s*\}\}", "", code, flags=re.S)
    outside = re.sub(r"\{\{.*?\}\}|\{%.*?%\}", "", statements, flags=re.S)
    found = [what for what, pattern in OF_ONE_ENGINE.items() if re.search(pattern, statements)]
    return found + [what for what, pattern in OPERATOR.items() if re.search(pattern, outside)]


def texts() -> dict[str, str]:
    """Return the SQL of every macro outside the folders of engines, and of every model, snapshot and data test."""
    folders = tuple(f"macros/warehouse/{engine}/" for engine in (*ENGINES, "default"))
    found: dict[str, str] = {
        macro["unique_id"]: macro["macro_sql"]
        for macro in macros()
        if not macro["original_file_path"].startswith(folders) and macro["name"] not in OF_POSTGRES
    }
    written: list[Node] = nodes("model", "snapshot", "test")
    return found | {node["unique_id"]: node["raw_code"] for node in written if node.get("raw_code")}


def test_only_the_folder_of_an_engine_has_its_constructs() -> None:
    looked_at = texts()
    assert len(looked_at) > 300
    assert {name: found for name, sql in looked_at.items() if (found := of_one_engine(sql))} == {}


# What each of them would look like.
EXAMPLES = {
    "a cast by ::": ["select a::text from t"],
    "an operator on JSON": ["select document ->> 'a'", "select document #> path"],
    "a function of jsonb": ["select jsonb_build_object('a', 1)", "select to_jsonb(a)"],
    "a function of json": ["select to_json(a)", "select json_extract_string(a, '$.b')", "select json('{}')"],
    "the catalog": [
        *("select relname from pg_class", "select cast('t' as regclass)", "select * from duckdb_tables()"),
        "select * from information_schema.columns",
    ],
    "a row's place": ["select ctid from t"],
    "a temporary table": ["create temporary table t (a int)", "on commit drop"],
    "a date as text": ["select to_char(day, 'DD')", "select strftime(day, '%d')", "select dayname(day)"],
    "an interval of numbers": ["select make_interval(secs => 1)", "select to_microseconds(1)"],
    "seconds as a binary fraction": ["select extract(epoch from a)", "select epoch_us(a)"],
    "a range": ["select tstzrange(a, b)"],
    "a function of arrays": ["select cardinality(a)", "select list_filter(a, b)", "select flatten(a)"],
    "a function of aggregates": ["select mode() within group (order by a)", "select histogram(a)"],
    "a collation": ['order by a collate "C"'],
    "letters of a locale": ["select upper(code) from t", "select lower(code) from t"],
    "spaces of a locale": ["select trim(code) from t"],
    "a quotient as text of an engine": ["select round(a, 2)"],
    "a hash of an engine": ["select hash(a) from t", "select hash_record_extended(t, 0) from t"],
    "a setting": ["set local work_mem = '1GB'", "select current_setting('a')", "select set_config('a', 'b', true)"],
    "a select without columns": ["where exists (select from t)"],
    "a right": ["grant select on t to a", "select has_table_privilege('t', 'select')"],
    "a filter of an aggregate": ["select count(*) filter (where a) from t"],
    "a text of a group": ["select string_agg(a, ',') from t", "select concat_ws(' ', a, b)"],
    "a literal of a moment": ["select timestamptz '2026-01-01 00:00:00+00'"],
    "a time zone after a moment": ["select a at time zone 'UTC'"],
    "an array in brackets": ["select array[a, b]", "select unnest(a)", "where a = any(b)"],
    "the greatest without NULL": ["select greatest(a, b)", "select least(a, b)"],
    "a hint for a CTE": ["with a as materialized (select 1)", "with a as not materialized (select 1)"],
    "the moment of the transaction": ["select now()"],
    "a name of a type": ["select cast(a as text)", "select cast(null as uuid)", "select cast(a as double precision)"],
    "an interval in quotes": ["select a + interval '1 day'"],
    "a truncated date": ["select date_trunc('month', a)"],
    "a part of a text": ["select split_part(a, '.', 1)"],
    "a percentile": ["select percentile_cont(0.5) within group (order by a)"],
    "a hash as text": ["select md5(a)"],
    "a deletion beside a relation": ["delete from t as a using u as b where a.id = b.id"],
    "a union without a kind": ["select 1 union select 2"],
    "rows of values": ["select * from (values (1)) as t (a)"],
    "a relation beside a row": ["select * from t cross join lateral (select t.a) as u"],
    "a regular expression by an operator": ["where a ~ '^b'", "where a !~* 'b'"],
}


def test_each_construct_has_an_example() -> None:
    assert EXAMPLES.keys() == OF_ONE_ENGINE.keys() | OPERATOR.keys()


@pytest.mark.parametrize(("what", "sql"), [(what, sql) for what, examples in EXAMPLES.items() for sql in examples])
def test_a_construct_of_one_engine_is_found(what: str, sql: str) -> None:
    assert of_one_engine(sql) == [what]


def test_comments_and_messages_are_no_constructs() -> None:
    assert of_one_engine("{#- pg_class -#} select 1 -- a::b\n") == []
    assert of_one_engine("""{{ exceptions.raise_compiler_error("grant select ") }} select 1""") == []


def test_each_engine_implements_what_every_engine_needs() -> None:
    by_engine = {
        engine: {m["name"].removeprefix(f"{engine}__") for m in macros() if m["name"].startswith(f"{engine}__")}
        for engine in (*ENGINES, "default")
    }
    dispatched = {
        name for m in macros() for name in re.findall(r"adapter\.dispatch\('(\w+)', 'orgo_insights'\)", m["macro_sql"])
    }
    assert len(dispatched) > 40
    for engine in ENGINES:
        assert (engine, dispatched - by_engine[engine] - by_engine["default"]) == (engine, set())


def test_each_engine_counts_the_same_relations_as_raw_events() -> None:
    folder = PROJECT / "orchestration" / "warehouse"
    relations = "'dim_cases', 'dim_tasks', 'fact_cases', 'fact_tasks', 'fact_wellbeing_checkins'"
    for file in (
        folder / "scripts" / "objects.sql",
        folder / "duckdb" / "objects.sql",
        PROJECT / "macros/warehouse/bigquery/functions.sql",
        PROJECT / "macros/warehouse/snowflake/functions.sql",
        folder / "snowflake" / "purge.py",
    ):
        assert file.read_text("utf-8").count(relations) == 1, file


@pytest.mark.parametrize("engine", ["bigquery", "snowflake"])
def test_the_bookkeeping_has_the_same_columns(engine: str) -> None:
    folder = PROJECT / "orchestration" / "warehouse"
    found = re.findall(r"create table if not exists \{ops\}\.(\w+) \((.*?)\n\);", _read(folder / engine), re.S)
    with duckdb.connect() as connection:
        script = _read(folder / "duckdb").format(ops="ops", loads="'ops.load_log_ids'", purges="'ops.purge_log_ids'")
        connection.execute(f"create schema ops; {script}")
        wanted = columns_of(connection, "ops")
    assert len(found) > 8
    for table, definitions in found:
        if table == "leases":  # a file of DuckDB needs none: its lock is that of the writer
            continue
        columns = {line.split()[0] for line in definitions.splitlines() if line.strip()}
        assert (table, columns) == (table, set(wanted[table]))


def _read(folder: Path) -> str:
    return (folder / "objects.sql").read_text("utf-8")
