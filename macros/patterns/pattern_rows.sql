{#- The columns of a pattern table from the relation `patterns`, without those that with_episodes adds. -#}
{% macro pattern_rows(cadence) -%}
{%- set rule = var('patterns')[cadence] -%}
{%- set day = "date '" ~ review_date(cadence) ~ "'" -%}
    select
        {{ pattern_id(cadence, 'patterns') }} as pattern_id,
        {{ day }} as review_date,
        {{ day }} - {{ rule.window_days }} as window_start,
        {{ day }} - 1 as window_end,
        patterns.organization_id,
        patterns.kind,
        case when patterns.grouped_by = 'incident' then patterns.domain end as domain,
        case when patterns.grouped_by = 'incident' then patterns.label end as label,
        patterns.label_base,
        nullif(patterns.label_category, 0) as label_category,
        nullif(patterns.label_subcategory, 0) as label_subcategory,
        patterns.label_role,
        nullif(patterns.location, '') as location,
        {{ token_of_rank('task_severity', 'patterns.severity_rank') }} as severity,
        cast(patterns.event_count as integer) as event_count,
        cast(patterns.stretch_count as integer) as peak_count,
        patterns.stretch_first as peak_first_date,
        patterns.opened_on as peak_last_date,
        cast(patterns.distinct_sources as integer) as distinct_sources,
        cast(patterns.visible_sources as integer) as visible_sources,
        cast(patterns.department_count as integer) as department_count,
        patterns.threshold_events,
        patterns.stretch_days as threshold_days,
        patterns.threshold_sources,
        patterns.threshold_source,
        patterns.profile_code,
        {{ visibility_of_rank('patterns.shown_rank') }} as visibility,
        patterns.first_event_at,
        patterns.last_event_at,
        patterns.case_ids,
        {{ review_label('patterns', 'kinds') }} as review_label
    from patterns
    inner join kinds on patterns.kind = kinds.kind
{%- endmacro %}

{#- The id of a pattern: the same for the same group at every review (decision D6). -#}
{% macro pattern_id(cadence, group) -%}
    {{ md5_uuid(json_array_text([
        "'" ~ cadence ~ "'",
        group ~ '.kind',
        group ~ '.organization_id',
        group ~ '.domain',
        group ~ '.label',
        group ~ '.location',
        group ~ '.label_category',
        group ~ '.label_subcategory',
    ])) }}
{%- endmacro %}

{#- The label of the review case (source contract, section 5), NULL for a kind that requests none. A missing role is omitted; a
    label that does not parse yields category 1, subcategory 4. -#}
{% macro review_label(pattern, kind) -%}
    case
            when {{ kind }}.asks_for_review then {{ joined('.', [
                kind ~ '.review_level',
                'case when ' ~ pattern ~ '.label_category > 0 then ' ~ joined('', [
                    pattern ~ '.label_category', 'coalesce(nullif(' ~ kind ~ '.review_subcategory, 0), ' ~ pattern ~ '.label_subcategory)'
                ]) ~ " else '14' end",
                'coalesce(nullif(' ~ kind ~ ".review_role, ''), " ~ review_role(pattern ~ '.label_role') ~ ')',
                kind ~ '.review_suffix',
            ]) }}
        end
{%- endmacro %}

{#- The role of a label as Core Services takes it, segments of letters and digits: other characters are left out, and so are segments
    that are empty then. NULL when nothing is left. -#}
{% macro review_role(role) -%}
    nullif(
                    {{ segments(role) }},
                    ''
                )
{%- endmacro %}
