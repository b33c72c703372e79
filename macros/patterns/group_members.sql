{#- A select of the cases in the groups of one grouping, joined on `keys`; for a kind that counts high-risk cases, only those. A label
    that does not parse has no category, so its cases are in no category group. -#}
{% macro group_members(cases, grouped_by, keys) -%}
    select
        groups.group_number,
        groups.stretch_days,
        {{ utc_date('cases.opened_at') }} - date '2000-01-01' as opened_on,
        cases.case_id,
        cases.opened_at,
        cases.severity_rank,
        cases.visibility_rank,
        cases.strictest_rank
    from {{ cases }} as cases
    inner join groups
        on cases.organization_id = groups.organization_id
        {%- for key in keys %}
        and cases.{{ key }} = groups.{{ key }}
        {%- endfor %}
    where
        groups.grouped_by = '{{ grouped_by }}'
        and (groups.counted = 'all' or cases.is_high_risk)
{%- endmacro %}
