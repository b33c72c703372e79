{#- Rows about unresolved cases that are CRITICAL or past their deadline at the review date, whatever their age (decision D6), for the
    kinds that count them. Without such a kind there is nothing to join, so the cases are not read. -#}
{% macro needs_attention_rows(cadence) -%}
{%- set day = "date '" ~ review_date(cadence) ~ "'" -%}
    select
        {{ pattern_id(cadence, 'unresolved') }} as pattern_id,
        {{ day }} as review_date,
        min({{ utc_date('unresolved.opened_at') }}) as window_start,
        {{ day }} - 1 as window_end,
        unresolved.organization_id,
        unresolved.kind,
        unresolved.domain,
        unresolved.label,
        unresolved.label_base,
        nullif(unresolved.label_category, 0) as label_category,
        nullif(unresolved.label_subcategory, 0) as label_subcategory,
        unresolved.label_role,
        nullif(unresolved.location, '') as location,
        {{ token_of_rank('task_severity', 'max(' ~ rank_of_token('task_severity', 'unresolved.severity') ~ ')') }} as severity,
        cast(count(*) as integer) as event_count,
        cast(count(*) as integer) as peak_count,
        min({{ utc_date('unresolved.opened_at') }}) as peak_first_date,
        max({{ utc_date('unresolved.opened_at') }}) as peak_last_date,
        cast(null as integer) as distinct_sources,
        cast(null as integer) as visible_sources,
        cast(null as integer) as department_count,
        unresolved.threshold_events,
        cast(null as integer) as threshold_days,
        cast(null as integer) as threshold_sources,
        'rule' as threshold_source,
        unresolved.profile_code,
        {{ visibility_of_rank('max(' ~ visibility_rank('unresolved.visibility') ~ ')') }} as visibility,
        min(unresolved.opened_at) as first_event_at,
        max(unresolved.opened_at) as last_event_at,
        {{ ordered_elements('unresolved.case_id', ['unresolved.opened_at', 'unresolved.case_id']) }} as case_ids,
        cast(null as {{ type_of('text') }}) as review_label
    from (
        select
            rules.kind,
            rules.profile_code,
            rules.threshold_events,
            cases.case_id,
            cases.organization_id,
            cases.domain,
            cases.label,
            cases.label_base,
            coalesce(cases.label_category, 0) as label_category,
            coalesce(cases.label_subcategory, 0) as label_subcategory,
            cases.label_role,
            coalesce(cases.location, '') as location,
            cases.severity,
            {{ pattern_visibility('cases') }} as visibility,
            cases.opened_at
        from {{ ref('int_reported_cases') }} as cases
        inner join rules
            on cases.organization_id = rules.organization_id and {{ profile_domain('cases.domain') }} = rules.domain
        where
            rules.counted = 'unresolved'
            and not cases.is_own_review
            and cases.opened_at < {{ utc_midnight(day) }}
            and (cases.closed_at is null or cases.closed_at >= {{ utc_midnight(day) }})
            and (cases.severity = 'CRITICAL' or cases.deadline_at < {{ utc_midnight(day) }})
    ) as unresolved
    group by
        unresolved.kind, unresolved.organization_id, unresolved.domain, unresolved.label, unresolved.label_base,
        unresolved.label_category, unresolved.label_subcategory, unresolved.label_role, unresolved.location,
        unresolved.profile_code, unresolved.threshold_events
    having count(*) >= unresolved.threshold_events
{%- endmacro %}
