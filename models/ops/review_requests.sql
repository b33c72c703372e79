{{ config(
    materialized='incremental',
    incremental_strategy='append',
    full_refresh=false,
    on_schema_change='append_new_columns',
    unique_key='case_id'
) }}
{{- guard_history() }}
{%- set cadences = review_cadences().keys() | list %}

with patterns as (
    {%- for cadence in cadences %}
    select
        '{{ cadence }}' as cadence,
        *
    from {{ ref('pattern_' ~ cadence) }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

-- Only the newest review requests cases (decision D7), even if it found nothing.
newest as (
    select
        cadence,
        max(review_date) as review_date
    from {{ ref('made_reviews') }}
    group by cadence
),

firing as (
    select
        patterns.*,
        kinds.title,
        kinds.grouped_by,
        kinds.review_role,
        kinds.review_suffix,
        categories.name as label_category_name,
        subcategories.name as label_subcategory_name,
        {{ rank_of_token('task_severity', 'patterns.severity') }} as severity_rank
    from patterns
    inner join newest on patterns.cadence = newest.cadence and patterns.review_date = newest.review_date
    inner join {{ ref('pattern_kinds') }} as kinds on patterns.kind = kinds.kind
    left join {{ ref('label_categories') }} as categories on patterns.label_category = categories.category
    left join {{ ref('label_subcategories') }} as subcategories on patterns.label_subcategory = subcategories.subcategory
    where kinds.asks_for_review
),

final as (
    select
        {{ review_case_id() }} as case_id,
        firing.organization_id,
        firing.pattern_id,
        firing.cadence,
        firing.review_date,
        firing.episode_start,
        firing.severity,
        firing.visibility,
        {{ review_case() }} as payload,
        {{ current_moment() }} as requested_at
    from firing
    {%- if is_incremental() %}
    where
        not exists (
            select 1
            from {{ this }} as earlier
            where
                earlier.pattern_id = firing.pattern_id
                and earlier.organization_id = firing.organization_id
                and earlier.episode_start = firing.episode_start
                and {{ rank_of_token('task_severity', 'earlier.severity') }} >= firing.severity_rank
        )
    {%- endif %}
)

select
    case_id,
    organization_id,
    pattern_id,
    cadence,
    review_date,
    episode_start,
    severity,
    visibility,
    {{ json_merged(json_object_of({'case_id': 'case_id'}), 'payload') }} as payload,
    requested_at
from {{ this if is_shown() else 'final' }}
