{#- report_targets adds up the days of report_sla_breaches, and recomputes only the months of an organization of which days have been written
    since, and all months of a domain to which other targets apply (decision D300). -#}

{#- pre-hook of report_sla_breaches, after that which finds its changed days: keeps their months until report_targets is counted. A first load
    changes all days, so none are kept. -#}
{% macro keep_changed_months() %}
    {% if follows_changes() and not is_empty_run() %}
    {% if is_incremental() %}
    insert into {{ source('insights_ops', 'former_rows') }} (relation_name, organization_id, id, contents)
    select
        '{{ model.name }}',
        months.organization_id,
        {{ md5_uuid('cast(months.month as ' ~ type_of('text') ~ ')') }},
        {{ row_as_json('months', ['month']) }}
    from (
        select distinct
            organization_id,
            {{ first_of_month('day') }} as month
        from {{ temporary('changed_days') }}
    ) as months
    {% else %}
    update {{ source('insights_ops', 'counted_reports') }} set counted_at = '-infinity' where relation_name = 'report_targets'
    {% endif %}
    {% endif %}
{% endmacro %}

{#- pre-hook of report_targets: keeps these months in a temporary table, which the model joins, and deletes their rows; readers see the previous
    rows until the load commits. Where it is not known when the report was counted, they are all months. -#}
{% macro delete_changed_months() %}
    {#- While parsing, dbt reads what this refers to. -#}
    {% if execute and (not is_incremental() or is_empty_run()) %}{{ return('') }}{% endif %}
    {{ keep_temporarily('changed_months', changed_months()) }};
    {{ delete_matching(
        this, 'report', temporary('changed_months'), 'months', 'report.organization_id = months.organization_id and report.month = months.month'
    ) }}
{% endmacro %}

{#- A join that leaves the days of the changed months; all of them in a first load, and in `dbt show`, which runs no hook. -#}
{% macro join_changed_months(row) -%}
    {%- if is_incremental() and not is_shown() -%}
    inner join {{ temporary('changed_months') }} as months on {{ row }}.organization_id = months.organization_id and {{ row }}.day >= months.month and {{ row }}.day < months.next_month
    {%- endif -%}
{%- endmacro %}

{#- A select of the changed months: organization_id, month, next_month. -#}
{% macro changed_months() %}
    {%- set breaches, counted = ref('report_sla_breaches'), counted_at() -%}
    {%- set former_rows = source('insights_ops', 'former_rows') -%}
    {%- set is_known = counted and compared_columns() and follows_changes() -%}
    with {{ 'recursive ' ~ one_row_of_each_domain(breaches) ~ ',' if is_known or not execute }}
    {%- if is_known or not execute %}

    chosen as ({{ chosen_targets('shown') }}),

    stored as (
        select distinct
            organization_id,
            domain,
            measure,
            target_percent,
            min_count
        from {{ this }}
    ),

    other_targets as (
        select organization_id, domain from (select * from chosen except select * from stored) as new
        union distinct
        select organization_id, domain from (select * from stored except select * from chosen) as former
    ),
    {%- endif %}

    months as (
        {%- if is_known or not execute %}
        select
            organization_id,
            cast({{ json_member('contents', ['month']) }} as date) as month
        from {{ former_rows }}
        where relation_name = 'report_sla_breaches' and replaced_at >= {{ moment_of(counted or '-infinity') }}
        union distinct
        {%- endif %}
        select
            breaches.organization_id,
            {{ first_of_month('breaches.day') }} as month
        from {{ breaches }} as breaches
        {{ join_domains('other_targets', 'breaches') if is_known }}
        union distinct
        select
            report.organization_id,
            report.month
        from {{ this }} as report
        {{ join_domains('other_targets', 'report') if is_known }}
    )

    select
        organization_id,
        month,
        cast({{ later('cast(month as timestamp)', 1, 'month') }} as date) as next_month
    from months
{% endmacro %}
