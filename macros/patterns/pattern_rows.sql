{#- The columns of a pattern table from a relation `patterns` as pattern_review leaves it, without those that the table has kept
    when nothing changed. `cadence` names the review. -#}
{% macro pattern_rows(cadence) %}
{%- set rule = var('patterns')[cadence] %}
{%- set day = "date '" ~ review_date(cadence) ~ "'" %}
    select
        cast(md5(cast(jsonb_build_array(
            '{{ cadence }}',
            patterns.kind,
            patterns.organization_id,
            patterns.domain,
            patterns.label,
            patterns.location,
            patterns.label_category,
            patterns.label_subcategory
        ) as text)) as uuid) as pattern_id,
        {{ day }} as review_date,
        {{ day }} - {{ rule.window_days }} as window_start,
        {{ day }} - 1 as window_end,
        patterns.organization_id,
        patterns.kind,
        case when patterns.kind <> 'cross_department_trend' then patterns.domain end as domain,
        case when patterns.kind <> 'cross_department_trend' then patterns.label end as label,
        case when patterns.kind <> 'cross_department_trend' then patterns.label_base end as label_base,
        nullif(patterns.label_category, 0) as label_category,
        nullif(patterns.label_subcategory, 0) as label_subcategory,
        patterns.label_role,
        nullif(patterns.location, '') as location,
        (array[{{ enum_tokens('task_severity') }}])[patterns.severity_rank] as severity,
        cast(patterns.event_count as integer) as event_count,
        cast(patterns.stretch_count as integer) as peak_count,
        patterns.stretch_first as peak_first_date,
        patterns.opened_on as peak_last_date,
        cast(patterns.distinct_sources as integer) as distinct_sources,
        cast(patterns.department_count as integer) as department_count,
        patterns.threshold_events,
        patterns.stretch_days as threshold_days,
        case when patterns.kind <> 'high_risk_indicator' then patterns.threshold_sources end as threshold_sources,
        patterns.threshold_source,
        patterns.profile_code,
        {{ visibility_of_rank('patterns.visibility_rank') }} as visibility,
        patterns.first_event_at,
        patterns.last_event_at,
        patterns.case_ids,
        {{ review_label() }} as review_label
    from patterns
{% endmacro %}

{#- The label of the review case (source contract, section 5). A missing role is left out; a label that does not parse gives
    category 1, subcategory 4. -#}
{% macro review_label() -%}
    case patterns.kind
        when 'incident_frequency'
            then concat_ws('.', '11', {{ review_code() }}, patterns.label_role, 'Audit')
        when 'cross_department_trend' then concat_ws('.', '2', patterns.label_category || '4', 'Leadership', 'Review')
        when 'high_risk_indicator'
            then concat_ws('.', '2', {{ review_code() }}, patterns.label_role, 'Review')
    end
{%- endmacro %}

{% macro review_code() -%}
    case
        when patterns.label_category > 0 then patterns.label_category || cast(patterns.label_subcategory as text)
        else '14'
    end
{%- endmacro %}

{#- Weekly: unresolved cases that are CRITICAL or past their deadline at the review date, whatever their age (decision D6). They
    need somebody's attention; no review case comes of them. -#}
{% macro needs_attention_rows() %}
{%- set day = "date '" ~ review_date('weekly') ~ "'" %}
    union all
    select
        cast(md5(cast(jsonb_build_array(
            'weekly', 'needs_attention', cases.organization_id, cases.domain, cases.label, coalesce(cases.location, ''),
            coalesce(cases.label_category, 0), coalesce(cases.label_subcategory, 0)
        ) as text)) as uuid) as pattern_id,
        {{ day }} as review_date,
        min({{ utc_date('cases.opened_at') }}) as window_start,
        {{ day }} - 1 as window_end,
        cases.organization_id,
        'needs_attention' as kind,
        cases.domain,
        cases.label,
        cases.label_base,
        cases.label_category,
        cases.label_subcategory,
        cases.label_role,
        cases.location,
        (array[{{ enum_tokens('task_severity') }}])[
            max(array_position(array[{{ enum_tokens('task_severity') }}], cases.severity))
        ] as severity,
        cast(count(*) as integer) as event_count,
        cast(count(*) as integer) as peak_count,
        min({{ utc_date('cases.opened_at') }}) as peak_first_date,
        max({{ utc_date('cases.opened_at') }}) as peak_last_date,
        cast(null as integer) as distinct_sources,
        cast(null as integer) as department_count,
        1 as threshold_events,
        cast(null as integer) as threshold_days,
        cast(null as integer) as threshold_sources,
        'rule' as threshold_source,
        profiles.profile_code,
        {{ visibility_of_rank('max(' ~ visibility_rank('cases.visibility') ~ ')') }} as visibility,
        min(cases.opened_at) as first_event_at,
        max(cases.opened_at) as last_event_at,
        array_agg(cases.case_id order by cases.opened_at, cases.case_id) as case_ids,
        null as review_label
    from {{ ref('dim_cases') }} as cases
    inner join profiles
        on cases.organization_id = profiles.organization_id and {{ profile_domain('cases.domain') }} = profiles.domain
    where
        not cases.is_own_review
        and cases.opened_at < {{ utc_midnight(day) }}
        and (cases.closed_at is null or cases.closed_at >= {{ utc_midnight(day) }})
        and (cases.severity = 'CRITICAL' or cases.deadline_at < {{ utc_midnight(day) }})
    group by
        cases.organization_id, cases.domain, cases.label, cases.label_base, cases.label_category, cases.label_subcategory,
        cases.label_role, cases.location, profiles.profile_code
{%- endmacro %}
