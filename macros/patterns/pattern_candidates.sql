{#- The CTE `candidates`: the groups of cases that may be large enough to become a pattern. -#}
{% macro pattern_candidates() -%}
-- Counting hashes is cheaper than counting texts. Groups that share a hash pass together; the next CTE separates them.
large_enough as (
    select group_hash
    from cases
    group by group_hash
    having count(*) >= (
        select min(rules.threshold_events) from rules
        where rules.grouped_by = 'incident' and rules.counted <> 'unresolved'
    )
),

candidates as (
    select
        'incident' as grouped_by,
        cases.organization_id,
        cases.domain,
        cases.label,
        cases.location,
        min(cases.label_base) as label_base,
        coalesce(min(cases.label_category), 0) as label_category,
        coalesce(min(cases.label_subcategory), 0) as label_subcategory,
        min(cases.label_role) as label_role,
        count(*) as case_count,
        count(*) filter (where cases.is_high_risk) as high_risk_count
    from cases
    inner join large_enough on cases.group_hash = large_enough.group_hash
    group by cases.organization_id, cases.domain, cases.label, cases.location
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
        count(*) as case_count,
        count(*) filter (where is_high_risk) as high_risk_count
    from cases
    where is_label_valid
    group by organization_id, label_category, label_subcategory
)
{%- endmacro %}
