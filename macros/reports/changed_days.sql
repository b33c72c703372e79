{#- A report that counts tasks by the day of their creation recomputes only the days of an organization whose tasks have changed since it
    was loaded (decision D168). This pre-hook finds them, in a temporary table that the model joins, and deletes their rows; readers see
    the previous rows until the load commits. `also` is a query of further days, with the columns organization_id and day. -#}
{% macro delete_changed_days(also=none) %}
    {#- While parsing, dbt reads what this refers to. -#}
    {% if execute and (not is_incremental() or is_empty_run()) %}{{ return('') }}{% endif %}
    {%- set query -%}
    {{ changed_days() }}
    {%- if also %}
    union distinct
    {{ also }}
    {%- endif %}
    {%- endset -%}
    {{ keep_temporarily('changed_days', query) }};
    {{ delete_matching(
        this, 'report', temporary('changed_days'), 'days', 'report.organization_id = days.organization_id and report.day = days.day'
    ) }}
{% endmacro %}

{#- A join that leaves the tasks of the changed days; all of them in a first load, and in `dbt show`, which runs no hook. -#}
{% macro join_changed_days(row) -%}
    {%- if is_incremental() and not is_shown() -%}
    inner join {{ temporary('changed_days') }} as days on {{ row }}.organization_id = days.organization_id and {{ row }}.created_date_key = days.day
    {%- endif -%}
{%- endmacro %}

{#- The days with tasks that were written since the report was loaded, or that tasks have left. All of them if the report lacks a column of
    its model. -#}
{% macro changed_days() %}
    {%- set since = former_load().logged_at if compared_columns() and follows_changes() else '-infinity' -%}
    select
        organization_id,
        created_date_key as day
    from {{ ref('fact_tasks') }}
    where loaded_at >= {{ moment_of(since) }}
    union distinct
    select
        organization_id,
        {{ utc_date('created_at') }} as day
    from {{ ref('dim_tasks') }}
    where loaded_at >= {{ moment_of(since) }}
    union distinct
    {{ days_that_tasks_left() }}
{% endmacro %}

{#- The days that tasks have left since the report was counted, by moving to another day or organization (decision D215), and those that a
    purge has emptied. Where it is not known when the report was counted, all tasks are counted to find them. -#}
{% macro days_that_tasks_left() %}
    {%- set former_rows = source('insights_ops', 'former_rows') -%}
    {%- set counted = counted_at() -%}
    {%- if not counted %}{{ return(miscounted_days()) }}{% endif -%}
    select
        organization_id,
        cast({{ json_member('contents', ['created_date_key']) }} as date) as day
    from {{ former_rows }}
    where relation_name = 'fact_tasks' and contents is not null and replaced_at >= {{ moment_of(counted) }}
    union distinct
    {{ rows_of_days(this, 'day', 'found.day < ' ~ purge_cutoff('raw_event')) }}
{% endmacro %}

{#- The days of an organization that a test of such a report has not seen: those of the tasks written since it last passed. -#}
{% macro unchecked_days(fact) -%}
    {%- set node = graph.nodes['model.' ~ project_name ~ '.' ~ fact] %}
    select
        organization_id,
        created_date_key as day
    from {{ api.Relation.create(schema=node.schema, identifier=node.alias) }}
    where loaded_at > {{ moment_of(unchecked_range(fact).written_after) }}
{%- endmacro %}

{#- A join that leaves those days; all of them in a test that never passed. -#}
{% macro join_unchecked_days(fact, row, day) -%}
    {%- if unchecked_range(fact).written_after != '-infinity' -%}
    inner join (select distinct * from ({{ unchecked_days(fact) }}) as written) as unchecked
        on {{ row }}.organization_id = unchecked.organization_id and {{ row }}.{{ day }} = unchecked.day
    {%- endif -%}
{%- endmacro %}

{#- Whether a row is of an organization with rows of a report that were written since the test at hand last passed; of any organization in
    a test that never passed. -#}
{% macro is_unchecked_organization(report, organization_id) -%}
    {%- set written_after = unchecked_range(report).written_after -%}
    {%- if written_after == '-infinity' %}{{ return('true') }}{% endif -%}
    {{ organization_id }} in (
        select written.organization_id from {{ ref(report) }} as written
        where written.loaded_at > {{ moment_of(written_after) }}
    )
{%- endmacro %}
