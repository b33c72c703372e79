{#- The CTE `numbered_groups`: the candidates that are large enough to become a pattern, each with the rule that applies to it. -#}
{% macro pattern_groups() -%}
numbered_groups as (
    select
        {{ any_number() }} as group_number,
        candidates.grouped_by,
        candidates.organization_id,
        candidates.domain,
        candidates.label,
        candidates.location,
        candidates.label_base,
        candidates.label_category,
        candidates.label_subcategory,
        candidates.label_role,
        case rules.counted
            when 'all' then candidates.department_count
            when 'high_risk' then candidates.high_risk_departments
        end as department_count,
        rules.kind,
        rules.counted,
        rules.profile_code,
        rules.threshold_source,
        rules.stretch_days,
        rules.threshold_events,
        rules.threshold_sources
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
        and rules.min_departments <= case rules.counted
            when 'all' then candidates.department_count
            when 'high_risk' then candidates.high_risk_departments
        end
)
{%- endmacro %}
