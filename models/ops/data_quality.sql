{{ config(unique_key=['organization_id', 'relation_name', 'finding']) }}

with flagged as (
    {%- for relation in [ref('dim_tasks'), ref('dim_cases'), ref('fact_wellbeing_checkins')] %}
    select
        '{{ relation.identifier }}' as relation_name,
        organization_id,
        {{ unnested('quality_flags', 'text') }} as finding,
        true as is_loaded
    from {{ relation }} {{ beside_unnested('quality_flags') }}
    where {{ has_elements('quality_flags') }}
    union all
    {%- endfor %}
    select
        'dim_organizations' as relation_name,
        organization_id,
        {{ unnested('quality_flags', 'text') }} as finding,
        true as is_loaded
    from (
        select
            organization_id,
            {{ quality_flags({
                'timezone_missing': 'is_timezone_missing',
                'status_unknown': 'status not in (' ~ enum_tokens('organization_status') ~ ')',
                'created_at_out_of_range': '(' ~ is_outside_calendar('created_at') ~ ') is not false',
            }) }}
        from {{ ref('organizations_history') }}
        where dbt_valid_to is null
    ) as organizations {{ beside_unnested('quality_flags') }}
    union all
    select
        relation_name,
        organization_id,
        finding,
        is_loaded
    from {{ ref('int_foreign_references') }}
),

rejected as (
    select
        source_table as relation_name,
        organization_id,
        reject_reason as finding,
        false as is_loaded
    from {{ ref('rejects') }}
    where resolved_at is null
),

findings as (
    select * from flagged
    union all
    select * from rejected
),

final as (
    select
        relation_name,
        organization_id,
        finding,
        is_loaded,
        count(*) as row_count
    from findings
    group by relation_name, organization_id, finding, is_loaded
)

select * from final
