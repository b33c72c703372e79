{#- What `insights init` makes in the SQL that PostgreSQL and DuckDB share. -#}

{% macro default__cutoff_of_class(retention_class, horizon, days) -%} {{ target.schema }}_ops.retention_cutoff('{{ retention_class }}', {{ horizon }}, {{ days }}) {%- endmacro %}

{% macro default__latest_as_of() -%} {{ target.schema }}_ops.latest_as_of() {%- endmacro %}

{% macro default__opaque_id(id) -%} {{ target.schema }}_ops.opaque_id(cast({{ id }} as text)) {%- endmacro %}

{% macro default__purge_cutoff(retention_class) -%} {{ target.schema }}_ops.purge_cutoff('{{ retention_class }}') {%- endmacro %}

{% macro default__store_test_results(relation, rows) -%}
    insert into {{ relation }} as stored (test_name, status, failures, invocation_id, checked_through, recounted_at)
    {{ rows }}
    on conflict (test_name) do update
    set
        status = excluded.status,
        failures = excluded.failures,
        invocation_id = excluded.invocation_id,
        logged_at = excluded.logged_at,
        checked_through = coalesce(excluded.checked_through, stored.checked_through),
        recounted_at = coalesce(case when stored.checked_through is null then excluded.recounted_at end, stored.recounted_at)
{%- endmacro %}
