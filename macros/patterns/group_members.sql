{#- A select of the cases in the groups of one grouping, joined on `keys`; for a kind that counts high-risk cases, only those. A label
    that does not parse has no category, so its cases are in no category group. -#}
{% macro group_members(cases, grouped_by, keys) -%}
    select
        numbered_groups.group_number,
        numbered_groups.stretch_days,
        {{ days_since(utc_date('cases.opened_at'), "date '2000-01-01'") }} as opened_on,
        cases.case_id,
        cases.opened_at,
        cases.severity_rank,
        cases.visibility_rank,
        cases.strictest_rank
    from {{ cases }} as cases
    inner join numbered_groups
        on cases.organization_id = numbered_groups.organization_id
        {%- for key in keys %}
        and cases.{{ key }} = numbered_groups.{{ key }}
        {%- endfor %}
    where
        numbered_groups.grouped_by = '{{ grouped_by }}'
        and (numbered_groups.counted = 'all' or cases.is_high_risk)
{%- endmacro %}
