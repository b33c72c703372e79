{{ config(
    materialized='table',
    meta={'feeds': ['dim_cases', 'fact_cases', 'personal_cases']},
    pre_hook=["{{ avoid_nested_loops() }}", "{{ keep_changed_keys(changed_cases(load_window())) }}"],
    post_hook='{{ log_load() }}'
) }}
{%- set window = load_window() %}
{%- set horizon = utc_midnight("date '" ~ window.horizon ~ "'") %}
{%- set is_incremental = execute and window.loaded_from != '-infinity' %}
{%- set stored = stored_until_purged('fact_cases') %}

-- Relations are read where they are needed, without import CTEs: PostgreSQL materializes a CTE that a query reads twice.
with default_profiles as (
    select * from {{ ref('int_applicable_profiles') }}
    where domain = '*'
),
{% if is_incremental or not execute %}
changed as (
    {{ changed_keys(changed_cases(window)) }}
),
{% endif %}
cases as (
    select
        accepted.case_id,
        accepted.organization_id,
        accepted.label,
        accepted.is_label_valid,
        accepted.title,
        accepted.status,
        accepted.severity,
        accepted.origin_vertical_level,
        accepted.origin_role,
        accepted.metadata,
        accepted.own_visibility,
        accepted.is_own_review,
        accepted.location_text,
        accepted.source_type,
        accepted.source_reference,
        accepted.reactivity_time,
        accepted.opened_at,
        accepted.updated_at
    from {{ ref('int_cases_checked') }} as accepted
    {{ join_former(stored, 'accepted', 'case_id') }}
    where
        accepted.is_accepted
        and accepted.opened_at < {{ horizon }}
        -- Decision D139: a row out of retention follows its source until it is purged.
        and (
            accepted.opened_at >= {{ utc_midnight("date '" ~ window.cutoff ~ "'") }}
            {{ "or former.opened_date_key < date '" ~ window.cutoff ~ "'" if stored }}
        )
        and {{ 'accepted.case_id in (select changed.case_id from changed)' if is_incremental else 'true' }}
),

sensitive_before as (
    {{ stored_sensitive_tasks() }}
),

linked_tasks as (
    select
        tasks.organization_id,
        tasks.case_id,
        tasks.task_id,
        tasks.type,
        tasks.source_key,
        -- Decision D138: a sensitive requester who was removed still counts.
        tasks.is_about_sensitive_person
        or (tasks.requester_person_id is null and sensitive_before.task_id is not null) as is_about_sensitive_person,
        {{ visibility_rank('tasks.visibility') }} as visibility_rank,
        cases.own_visibility is not null
        and {{ visibility_rank('tasks.visibility') }} > {{ visibility_rank('cases.own_visibility') }} as is_stricter
    from {{ ref('int_tasks_checked') }} as tasks
    inner join cases on tasks.case_id = cases.case_id and {{ most('tasks.organization_id = cases.organization_id') }}
    left join sensitive_before
        on tasks.task_id = sensitive_before.task_id and tasks.organization_id = sensitive_before.organization_id
    where tasks.is_accepted and tasks.created_at < {{ horizon }}
),

case_tasks as (
    select
        case_id,
        count(*) as linked_task_count,
        -- Decision D5: the most frequent type; among equals, the first in C order.
        {{ most_frequent('type') }} as domain,
        {{ distinct_elements('source_key') }} as source_keys,
        -- Decision D157: without tasks that are stricter than their case.
        {{ most_frequent('type', 'not is_stricter') }} as visible_domain,
        {{ distinct_elements('source_key', 'not is_stricter') }} as visible_source_keys,
        max(visibility_rank) as visibility_rank,
        {{ any_true('is_about_sensitive_person') }} as is_about_sensitive_person
    from {{ beside_frequencies('linked_tasks', 'case_id', 'type', ['', 'not is_stricter']) }}
    group by case_id
),

case_escalations as (
    select
        linked_tasks.case_id,
        count(*) as escalation_count
    from linked_tasks
    inner join {{ ref('stg_task_events') }} as events
        on linked_tasks.task_id = events.task_id and linked_tasks.organization_id = events.organization_id
    where events.event_type = 'escalated' and events.created_at >= {{ calendar_start() }} and events.created_at < {{ horizon }}
    group by linked_tasks.case_id
),

case_reviews as (
    select
        organization_id,
        case_id,
        count(*) as review_count
    from ({{ stored_review_cases() }}) as reviews
    group by organization_id, case_id
),

requested_cases as (
    {{ requested_case_ids() }}
),

joined as (
    select
        cases.*,
        requested_cases.case_id is not null as is_requested,
        coalesce(case_reviews.review_count, 0) as review_count,
        coalesce(case_tasks.domain, 'generic') as domain,
        coalesce(case_tasks.source_keys, {{ own_source_keys('cases') }}) as source_keys,
        coalesce(case_tasks.visible_domain, 'generic') as visible_domain,
        coalesce(case_tasks.visible_source_keys, {{ own_source_keys('cases') }}) as visible_source_keys,
        case_tasks.visibility_rank as task_visibility_rank,
        coalesce(case_tasks.linked_task_count, 0) as linked_task_count,
        coalesce(case_escalations.escalation_count, 0) as escalation_count,
        {{ greatest_filled([
            'case when cases.own_visibility is not null then ' ~ visibility_rank('cases.own_visibility')
            ~ ' else coalesce(case_tasks.visibility_rank, ' ~ visibility_rank('default_profiles.default_visibility') ~ ') end',
            'case when case_tasks.is_about_sensitive_person then ' ~ restricted_rank() ~ ' end',
        ]) }} as visibility_rank
    from cases
    left join case_tasks on cases.case_id = case_tasks.case_id
    left join case_escalations on cases.case_id = case_escalations.case_id
    left join case_reviews on cases.case_id = case_reviews.case_id and cases.organization_id = case_reviews.organization_id
    left join requested_cases on cases.case_id = requested_cases.case_id and cases.organization_id = requested_cases.organization_id
    left join default_profiles on cases.organization_id = default_profiles.organization_id
),

final as (
    select
        case_id,
        organization_id,
        label,
        is_label_valid,
        {{ label_parts() }},
        domain,
        location_text as location,
        source_keys,
        visible_domain,
        visible_source_keys,
        is_own_review or is_requested as is_own_review,
        title,
        status,
        severity,
        origin_vertical_level,
        origin_role,
        opened_at,
        case when status in ({{ closed_tokens('case_status') }}) then updated_at end as closed_at,
        {{ deadline_after('opened_at', 'reactivity_time') }} as deadline_at,
        {{ visibility_of_rank('visibility_rank') }} as visibility,
        {{ visibility_of_rank(greatest_filled(['visibility_rank', 'task_visibility_rank'])) }} as strictest_visibility,
        cast(linked_task_count as integer) as linked_task_count,
        cast(escalation_count as integer) as escalation_count,
        cast(review_count as integer) as review_count,
        {{ quality_flags({
            'label_unparsable': 'not is_label_valid',
            'visibility_unknown': 'own_visibility not in (' ~ enum_tokens('visibility') ~ ')',
            'metadata_unreadable': 'not ' ~ is_json_object('metadata'),
            'metadata_missing': 'metadata is null',
            'deadline_out_of_range': deadline_after_is_clamped('opened_at', 'reactivity_time'),
        }) }}
    from joined
)

select * from final
