"""Another dbt package, which tests install beside this project: as Elementary and dbt_project_evaluator are built."""

from __future__ import annotations

from pathlib import Path

# A custom schema and hooks, as in Elementary; a folder `marts` without a schema, as in dbt_project_evaluator.
FILES = {
    "dbt_project.yml": """
name: neighbor
version: "1.0.0"
config-version: 2
models:
  neighbor:
    watch: { +schema: elementary }
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
    # Neither a `unique_key` with NULLs nor a changed column may meet the rules of marts.
    "models/watch/watched_runs.sql": """
{{ config(materialized='incremental', unique_key='run_id', on_schema_change='append_new_columns') }}
select cast(null as integer) as run_id, now() as noted_at {% if is_incremental() %}, 1 as added{% endif %}
""",
    "models/watch/watched_view.sql": "{{ config(materialized='view') }} select * from {{ ref('watched_runs') }}",
    "models/watch/watched_rows.sql": "{{ config(materialized='materialized_view') }} select 1 as n union all select 1",
    "models/marts/fct_models.sql": "{{ config(materialized='table') }} select * from {{ ref('known') }}",
    "models/marts/rejects.sql": "{{ config(materialized='view') }} select 1 as same_name_as_ours",
    "models/marts/models.yml": """
models:
  - name: fct_models
    columns:
      - name: id
        data_tests: [unique, not_null]
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
    ("insights_neighbor", "fct_models"),
    ("insights_neighbor", "known"),
    ("insights_neighbor", "known_history"),
    ("insights_neighbor", "rejects"),
    ("insights_hooks", "runs"),
}


def write_package(folder: Path) -> None:
    """Write the package into a new folder."""
    for name, text in FILES.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
