{#- The CTE `groups`: the groups of cases that are large enough to become a pattern, each with the rule that applies to it. -#}
{% macro pattern_groups() -%}
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
),

groups as (
    select
        row_number() over () as group_number,
        candidates.grouped_by,
        candidates.organization_id,
        candidates.domain,
        candidates.label,
        candidates.location,
        candidates.label_base,
        candidates.label_category,
        candidates.label_subcategory,
        candidates.label_role,
        rules.kind,
        rules.counted,
        rules.profile_code,
        rules.threshold_source,
        rules.stretch_days,
        rules.threshold_events,
        rules.threshold_sources,
        rules.min_departments
    from candidates
    inner join rules
        on candidates.organization_id = rules.organization_id
        and candidates.grouped_by = rules.grouped_by
        and {{ profile_domain('candidates.domain') }} = rules.domain
    where
        rules.threshold_events <= case rules.counted
            when 'all' then candidates.case_count
            when 'high_risk' then candidates.high_risk_count
        end
)
{%- endmacro %}
