{#- A load of the monthly trends recomputes those of the subjects in which a task counts otherwise than before (decisions D179 and D197). A
    subject is an organization's label base, category and domain. -#}

{#- pre-hook: keeps the subjects to recompute, and their tasks, as the temporary tables changed_trends and trend_tasks until the transaction ends. -#}
{% macro keep_changed_trends() %}
    {%- set since = trends_counted_at() -%}
    {%- if since == '-infinity' %}{{ return('') }}{% endif -%}
    {{ keep_temporarily('written_tasks', written_trend_tasks(since)) }};
    {{ keep_temporarily('changed_trends', changed_subjects(since)) }};
    {{ keep_temporarily('trend_tasks', tasks_of_subjects()) }}
{% endmacro %}

{#- When the stored trends were computed, as text. -infinity where all of them are computed: in a first load, where no pre-hook runs, and
    where no stored count can be kept. -#}
{% macro trends_counted_at() -%}
    {%- if not execute -%}
        {#- While parsing, dbt reads what the queries below refer to. -#}
        {%- do [ref('stg_organizations'), source('insights_ops', 'counted_reports'), source('insights_ops', 'former_rows')] -%}
    {%- endif -%}
    {%- if not execute or not keeps_changed_keys() or not follows_changes() or not stored_trends() %}{{ return('-infinity') }}{% endif -%}
    {{- return(trends_changed_since(stored_trends())) -}}
{%- endmacro %}

{#- Whether a row belongs to a subject that is recomputed; `since` is what trends_counted_at returned. -#}
{% macro is_changed_trend(row, since) -%}
    {%- if since == '-infinity' %}{{ return('true') }}{% endif -%}
    (
        {{ row }}.organization_id,
        coalesce({{ row }}.label_base, -1),
        coalesce({{ row }}.label_category, -1),
        coalesce({{ row }}.domain, '')
    ) in (
        select
            changed.organization_id,
            coalesce(changed.label_base, -1),
            coalesce(changed.label_category, -1),
            coalesce(changed.domain, '')
        from {{ temporary('changed_trends') }} as changed
    )
{%- endmacro %}

{#- Whether a row belongs to an organization with such a subject. The trends have an index that answers this. -#}
{% macro is_changed_organization(row, since) -%}
    {%- if since == '-infinity' %}{{ return('true') }}{% endif -%}
    {{ row }}.organization_id in (select changed.organization_id from {{ temporary('changed_trends') }} as changed)
{%- endmacro %}

{#- Whether a fact is of a task of such a subject. -#}
{% macro is_changed_task(since) -%}
    {%- if since == '-infinity' %}{{ return('true') }}{% endif -%}
    (task_id, organization_id) in (select tasks.task_id, tasks.organization_id from {{ temporary('trend_tasks') }} as tasks)
{%- endmacro %}
