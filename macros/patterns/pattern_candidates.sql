{#- The CTE `candidates`: the groups of cases that may be large enough to become a pattern, with how many cases and departments a kind of
    pattern counts. -#}
{% macro pattern_candidates() -%}
{%- set department = 'label_base not in (' ~ broadcast_bases() | join(', ') ~ ')' -%}
-- Counting hashes is cheaper than counting texts. Groups that share a hash pass together; `candidates` separates them.
large_enough as (
    select group_hash
    from cases
    group by group_hash
    having count(*) >= (
        select min(rules.threshold_events) from rules
        where rules.grouped_by = 'incident' and rules.counted <> 'unresolved'
    )
),

incident_cases as {{ cte_materialized() }} (
    select window_cases.*
    from window_cases
    inner join large_enough on window_cases.group_hash = large_enough.group_hash
),

-- The departments of a category are counted from its few bases, not from its cases.
candidates as (
    select
        'incident' as grouped_by,
        organization_id,
        domain,
        label,
        location,
        min(label_base) as label_base,
        coalesce(min(label_category), 0) as label_category,
        coalesce(min(label_subcategory), 0) as label_subcategory,
        min(label_role) as label_role,
        count(*) as case_count,
        count(case when is_high_risk then 1 end) as high_risk_count,
        count(distinct case when {{ department }} then label_base end) as department_count,
        count(distinct case when is_high_risk and {{ department }} then label_base end) as high_risk_departments
    from incident_cases
    group by organization_id, domain, label, location
    union all
    select
        'category' as grouped_by,
        organization_id,
        '' as domain,
        '' as label,
        '' as location,
        cast(null as integer) as label_base,
        label_category,
        label_subcategory,
        null as label_role,
        cast(sum(case_count) as bigint) as case_count,
        cast(sum(high_risk_count) as bigint) as high_risk_count,
        count(case when {{ department }} then 1 end) as department_count,
        count(case when high_risk_count > 0 and {{ department }} then 1 end) as high_risk_departments
    from (
        select
            organization_id,
            label_category,
            label_subcategory,
            label_base,
            count(*) as case_count,
            count(case when is_high_risk then 1 end) as high_risk_count
        from cases
        where is_label_valid
        group by organization_id, label_category, label_subcategory, label_base
    ) as bases
    group by organization_id, label_category, label_subcategory
)
{%- endmacro %}
