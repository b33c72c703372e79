"""Another dbt package, which tests install beside this project: as Elementary and dbt_project_evaluator are built."""

from __future__ import annotations

from pathlib import Path

# As in Elementary: a custom schema, hooks at the start and the end of a run, tables that a post-hook fills and whose
# columns follow the query, and a materialization of tests. As in dbt_project_evaluator: folders with the names of ours
# and no schema, variables, and macros that others may dispatch. Its macros and its test are named like ours.
FILES = {
    "dbt_project.yml": """
name: neighbor
version: "1.0.0"
config-version: 2
models:
  neighbor:
    watch: { +schema: elementary }
vars:
  neighbor: { first_number: 7 }
on-run-start:
  - "{{ neighbor.note_start() }}"
on-run-end:
  - "{{ neighbor.note_run() }}"
""",
    "macros/note_run.sql": """
{% macro note_run() %}
    {% if not execute %}{{ return('') }}{% endif %}
    {% do create_schema(api.Relation.create(database=target.database, schema=generate_schema_name('hooks'))) %}
    create table if not exists {{ generate_schema_name('hooks') }}.runs as select 0 as nodes limit 0;
    insert into {{ generate_schema_name('hooks') }}.runs values ({{ results | length }})
{% endmacro %}
""",
    "macros/note_start.sql": """
{% macro note_start() %}
    {% if not execute %}{{ return('') }}{% endif %}
    {% set place = api.Relation.create(target.database, generate_schema_name('hooks'), 'starts', type='table') %}
    {% do adapter.create_schema(place) %}
    {% set create = create_table_as(false, place, 'select 0 as columns limit 0') %}
    {% if not load_relation(place) %}{% do run_query(create) %}{% endif %}
    insert into {{ place }} values ({{ adapter.get_columns_in_relation(place) | length }})
{% endmacro %}
""",
    "macros/named_like_ours.sql": """
{% macro few(condition) %}{{ return(adapter.dispatch('few', 'neighbor')(condition)) }}{% endmacro %}
{% macro default__few(condition) %}not ({{ condition }}){% endmacro %}
{% macro is_own(node) %}{{ exceptions.raise_compiler_error('of the other package') }}{% endmacro %}
{% macro log_tests(results) %}{{ exceptions.raise_compiler_error('of the other package') }}{% endmacro %}
{% macro upload(relation) %}insert into {{ relation }} values ({{ var('first_number') }}, 'by a hook'){% endmacro %}
{% test unique_grain(model) %}select * from {{ model }} where {{ few('true') }}{% endtest %}
""",
    "macros/materializations.sql": """
{% materialization test, default %}{{ exceptions.raise_compiler_error('of the other package') }}{% endmaterialization %}
""",
    # Neither a `unique_key` with NULLs nor a changed column may meet the rules of marts.
    "models/watch/watched_runs.sql": """
{{ config(materialized='incremental', unique_key='run_id', on_schema_change='append_new_columns') }}
select cast(null as integer) as run_id, now() as noted_at {% if is_incremental() %}, 1 as added{% endif %}
""",
    "models/watch/uploaded.sql": """
{{ config(materialized='incremental', unique_key='n', on_schema_change='sync_all_columns') }}
{{ config(post_hook="{{ upload(this) }}") }}
select 1 as n, {% if is_incremental() %}'' as said{% else %}'' as said, 0 as later_removed{% endif %} limit 0
""",
    "models/watch/watched_view.sql": "{{ config(materialized='view') }} select * from {{ ref('watched_runs') }}",
    "models/watch/watched_rows.sql": "{{ config(materialized='materialized_view') }} select 1 as n union all select 1",
    "models/marts/fct_models.sql": "{{ config(materialized='table') }} select * from {{ ref('known') }}",
    "models/staging/graph/stg_nodes.sql": "{{ config(materialized='view') }} select {{ var('first_number') }} as n",
    "models/marts/core/int_all_resources.sql": """
{{ config(materialized='table') }} select * from {{ ref('stg_nodes') }}
""",
    "models/marts/rejects.sql": "{{ config(materialized='view') }} select 1 as same_name_as_ours",
    "models/marts/models.yml": """
models:
  - name: fct_models
    columns:
      - name: id
        data_tests: [unique, not_null]
  - name: int_all_resources
    data_tests: [unique_grain]
""",
    "seeds/known.csv": "id,name\n1,first\n2,second\n",
    "snapshots/known_history.yml": """
snapshots:
  - name: known_history
    relation: ref('known')
    config: { strategy: check, unique_key: id, check_cols: [name] }
""",
}
# Where dbt's own rule puts its relations, and the schema of the package for those without a custom schema.
RELATIONS = {
    ("insights_elementary", "watched_runs"),
    ("insights_elementary", "watched_view"),
    ("insights_elementary", "watched_rows"),
    ("insights_elementary", "uploaded"),
    ("insights_neighbor", "fct_models"),
    ("insights_neighbor", "int_all_resources"),
    ("insights_neighbor", "stg_nodes"),
    ("insights_neighbor", "known"),
    ("insights_neighbor", "known_history"),
    ("insights_neighbor", "rejects"),
    ("insights_hooks", "runs"),
    ("insights_hooks", "starts"),
}


def write_package(folder: Path) -> None:
    """Write the package into a new folder."""
    for name, text in FILES.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
