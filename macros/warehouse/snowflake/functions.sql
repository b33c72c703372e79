{#- What functions of the schema of bookkeeping compute in PostgreSQL. As expressions, because a function of SQL cannot be called with the
    columns of a row if it reads a table. Like those functions, they read the tables themselves in unit tests too. -#}

{% macro snowflake__latest_as_of() -%} (cast(sysdate() as date) + 1) {%- endmacro %}

{% macro snowflake__purge_cutoff(retention_class) -%}
    (
        select coalesce(max(purges.cutoff), cast('0001-01-01' as date))
        from {{ target.schema }}_ops.purge_log as purges
        where purges.retention_class = '{{ retention_class }}'
    )
{%- endmacro %}

{% macro snowflake__cutoff_of_class(retention_class, horizon, days) -%}
    greatest(
        {{ horizon }} - {{ days }},
        {{ purge_cutoff(retention_class) }}
        {%- if retention_class == 'raw_event' %},
        (
            select coalesce(max(loads.cutoff), cast('0001-01-01' as date))
            from {{ target.schema }}_ops.load_log as loads
            where loads.relation_name in ('dim_cases', 'dim_tasks', 'fact_cases', 'fact_tasks', 'fact_wellbeing_checkins')
        )
        {%- endif %}
    )
{%- endmacro %}

{#- A hash of the id with the secret of this warehouse, a text. -#}
{% macro snowflake__opaque_id(id) -%}
    (
        select {{ hyphenated("sha2(keys.secret || sha2(keys.secret || cast(" ~ id ~ " as varchar), 256), 256)") }}
        from {{ target.schema }}_ops.secret_keys as keys
        where keys.purpose = 'review_cases'
    )
{%- endmacro %}

{#- The first 32 hexadecimal digits of a text as an id. -#}
{% macro hyphenated(digits) -%}
    cast(regexp_replace({{ digits }}, '^(.{8})(.{4})(.{4})(.{4})(.{12}).*$', '\\1-\\2-\\3-\\4-\\5') as uuid)
{%- endmacro %}

{% macro snowflake__store_test_results(relation, rows) %}
    merge into {{ relation }} as stored
    using ({{ rows }}) as found
        on stored.test_name = found.test_name
    when matched then
        update set
            status = found.status,
            failures = found.failures,
            invocation_id = found.invocation_id,
            logged_at = {{ current_moment() }},
            checked_through = coalesce(found.checked_through, stored.checked_through),
            recounted_at = coalesce(case when stored.checked_through is null then found.recounted_at end, stored.recounted_at)
    when not matched then
        insert (test_name, status, failures, invocation_id, logged_at, checked_through, recounted_at)
        values (
            found.test_name, found.status, found.failures, found.invocation_id, {{ current_moment() }}, found.checked_through, found.recounted_at
        )
{% endmacro %}
