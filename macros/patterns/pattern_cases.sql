{#- The CTEs `window_cases`, the cases of the review's window with what kinds of pattern count and measure, and `cases`, those of its
    columns that all steps need. Only these are copied: the texts and the reporters of all cases would not fit into memory, and few are
    needed. The texts are read again in `incident_cases`, the reporters in `reporters` (decision D269). -#}
{% macro pattern_cases(cadence) -%}
risk_cases as {{ cte_materialized() }} (
    select distinct
        bridge.organization_id,
        bridge.entity_id as case_id
    from {{ ref('bridge_entity_labels') }} as bridge
    inner join {{ ref('dim_labels') }} as labels
        on bridge.label_id = labels.label_id and bridge.organization_id = coalesce(labels.organization_id, bridge.organization_id)
    where bridge.entity_type = 'case' and labels.category = 'risk'
),

window_cases as {{ cte_inlined() }} (
    select
        cases.case_id,
        cases.organization_id,
        cases.domain,
        cases.label,
        coalesce(cases.location, '') as location,
        {{ hash_of_texts(['cast(cases.organization_id as ' ~ type_of('text') ~ ')', 'cases.domain', 'cases.label', 'cases.location']) }} as group_hash,
        cases.is_label_valid,
        cases.label_base,
        cases.label_category,
        cases.label_subcategory,
        cases.label_role,
        {{ rank_of_token('task_severity', 'cases.severity') }} as severity_rank,
        {{ visibility_rank(pattern_visibility('cases')) }} as visibility_rank,
        {{ visibility_rank('coalesce(cases.strictest_visibility, cases.visibility)') }} as strictest_rank,
        cases.opened_at,
        cases.severity in ('MAJOR', 'CRITICAL') or risk_cases.case_id is not null as is_high_risk
    from {{ ref('int_reported_cases') }} as cases
    left join risk_cases on cases.case_id = risk_cases.case_id and cases.organization_id = risk_cases.organization_id
    where {{ is_in_window('cases', cadence) }}
),

cases as {{ cte_materialized() }} (
    select
        case_id,
        organization_id,
        group_hash,
        is_label_valid,
        label_base,
        label_category,
        label_subcategory,
        severity_rank,
        visibility_rank,
        strictest_rank,
        opened_at,
        is_high_risk
    from window_cases
)
{%- endmacro %}

{#- Whether a case counts in the review of a cadence. -#}
{% macro is_in_window(cases, cadence) -%}
    {%- set day = "date '" ~ review_date(cadence) ~ "'" -%}
    not {{ cases }}.is_own_review
        and {{ cases }}.opened_at >= {{ utc_midnight(day ~ ' - ' ~ var('patterns')[cadence].window_days) }}
        and {{ cases }}.opened_at < {{ utc_midnight(day) }}
{%- endmacro %}

{#- With which visibility a case counts in patterns: stricter tasks that decide its domain make it as strict as they are (decision D165). -#}
{% macro pattern_visibility(cases) -%}
    coalesce(case when {{ cases }}.domain <> {{ cases }}.visible_domain then {{ cases }}.strictest_visibility end, {{ cases }}.visibility)
{%- endmacro %}
