{#- What functions of the schema of bookkeeping compute in PostgreSQL, as expressions, and statements that change rows. -#}

{% macro bigquery__latest_as_of() -%} date_add(current_date(), interval 1 day) {%- endmacro %}

{% macro bigquery__purge_cutoff(retention_class) -%}
    (
        select coalesce(max(purges.cutoff), date '0001-01-01')
        from {{ source('insights_ops', 'purge_log') }} as purges
        where purges.retention_class = '{{ retention_class }}'
    )
{%- endmacro %}

{% macro bigquery__cutoff_of_class(retention_class, horizon, days) -%}
    greatest(
        date_sub({{ horizon }}, interval {{ days }} day),
        {{ purge_cutoff(retention_class) }}
        {%- if retention_class == 'raw_event' %},
        (
            select coalesce(max(loads.cutoff), date '0001-01-01')
            from {{ source('insights_ops', 'load_log') }} as loads
            where loads.relation_name in ('dim_cases', 'dim_tasks', 'fact_cases', 'fact_tasks', 'fact_wellbeing_checkins')
        )
        {%- endif %}
    )
{%- endmacro %}

{#- A hash of the id with the secret of this warehouse, a text. -#}
{% macro bigquery__opaque_id(id) -%}
    (
        select {{ hyphenated_digits('to_hex(sha256(keys.secret || to_hex(sha256(keys.secret || ' ~ id ~ '))))') }}
        from {{ target.schema }}_ops.secret_keys as keys
        where keys.purpose = 'review_cases'
    )
{%- endmacro %}

{#- The number of a row of the log of loads: BigQuery has no sequences. Only the order of the loads of one relation counts. -#}
{% macro bigquery__log_number() -%} unix_micros(current_timestamp()) {%- endmacro %}

{% macro bigquery__store_test_results(relation, rows) %}
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

{#- There is no `using` in it. -#}
{% macro bigquery__delete_matching(relation, alias, other, other_alias, condition) -%}
    delete from {{ relation }} as {{ alias }}
    where exists (select 1 from {{ other }} as {{ other_alias }} where {{ condition }})
{%- endmacro %}

{#- By their texts, because a subquery of `in` has one column. -#}
{% macro bigquery__is_among(columns, query) -%}
    concat(cast({{ columns | join(" as string), ' ', cast(") }} as string))
    in (select concat(cast(found.{{ columns | join(" as string), ' ', cast(found.") }} as string)) from ({{ query }}) as found)
{%- endmacro %}
