{#- A select of the cases in the groups of one grouping, joined on `keys`; for a kind that counts high-risk cases, only those. A label
    that does not parse has no category, so its cases are in no category group. -#}
{% macro group_members(grouped_by, keys) -%}
    select
        groups.group_number,
        groups.stretch_days,
        {{ utc_date('cases.opened_at') }} - date '2000-01-01' as opened_on,
        cases.case_id,
        cases.opened_at,
        cases.label_base,
        cases.severity_rank,
        cases.visibility_rank,
        cases.strictest_rank,
        cases.source_keys = cases.visible_source_keys as shows_all_sources,
        {{ elements_of_row('cases.source_keys') }} as source_keys,
        case when cases.source_keys <> cases.visible_source_keys then {{ elements_of_row('cases.visible_source_keys') }} end as visible_source_keys
    from cases
    inner join groups
        on cases.organization_id = groups.organization_id
        {%- for key in keys %}
        and cases.{{ key }} = groups.{{ key }}
        {%- endfor %}
    where
        groups.grouped_by = '{{ grouped_by }}'
        and (groups.counted = 'all' or cases.is_high_risk)
{%- endmacro %}
