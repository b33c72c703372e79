{{ config(
    materialized='table',
    meta={'feeds': ['dim_tasks', 'fact_tasks', 'dim_cases', 'fact_cases', 'fact_task_statuses']},
    pre_hook=["{{ avoid_nested_loops() }}", "{{ keep_changed_keys(changed_tasks(load_window())) }}"],
    post_hook='{{ log_load() }}'
) }}
{%- set window = load_window() %}
{%- set horizon = utc_midnight("date '" ~ window.horizon ~ "'") %}
{%- set is_incremental = execute and window.loaded_from != '-infinity' %}
{%- set stored = stored_until_purged('fact_tasks') %}

-- Relations are read where they are needed, without import CTEs: PostgreSQL materializes a CTE that a query reads twice.
with
{% if is_incremental or not execute %}
changed as (
    {{ changed_keys(changed_tasks(window)) }}
),
{% endif %}
sensitive_before as (
    {{ stored_sensitive_tasks() }}
),

-- Several CTEs read this one, so it is materialized: it names only the columns needed, since each is computed for every row.
tasks as (
    select
        accepted.task_id,
        accepted.organization_id,
        case when not accepted.is_case_foreign then accepted.case_id end as case_id,
        accepted.is_case_foreign,
        accepted.is_requester_foreign,
        accepted.is_linked_user_foreign,
        accepted.is_creator_foreign,
        accepted.label,
        accepted.is_label_valid,
        accepted.type,
        accepted.category,
        accepted.subtype,
        accepted.priority,
        accepted.severity,
        accepted.visibility,
        accepted.requester_person_id,
        accepted.is_about_sensitive_person,
        accepted.source,
        accepted.assignee_role,
        accepted.status,
        accepted.reactivity_deadline_at,
        accepted.closed_at,
        accepted.created_at,
        accepted.updated_at
    from {{ ref('int_tasks_checked') }} as accepted
    {{ join_former(stored, 'accepted', 'task_id') }}
    where
        accepted.is_accepted
        and accepted.created_at < {{ horizon }}
        -- Decision D139: a row out of retention follows its source until it is purged.
        and (
            accepted.created_at >= {{ utc_midnight("date '" ~ window.cutoff ~ "'") }}
            {{ "or former.created_date_key < date '" ~ window.cutoff ~ "'" if stored }}
        )
        and {{ 'accepted.task_id in (select changed.task_id from changed)' if is_incremental else 'true' }}
),

events as (
    select * from {{ ref('stg_task_events') }}
    where created_at >= {{ calendar_start() }} and created_at < {{ horizon }}
),

comments as (
    select * from {{ ref('stg_task_comments') }}
    where created_at < {{ horizon }}
),

task_events as (
    select
        tasks.task_id,
        count(case when events.event_type in ({{ enum_tokens('task_event_type') }}) then 1 end) as event_count,
        count(case when events.event_type = 'escalated' then 1 end) as escalation_count,
        min(
            case
                when
                    events.created_at > tasks.created_at
                    and (
                        events.event_type in ('ownership_changed', 'comment_added')
                        or (
                            events.event_type = 'status_changed'
                            and coalesce(events.old_status, 'PENDING') = 'PENDING'
                            and events.new_status <> 'PENDING'
                        )
                    )
                    then events.created_at
            end
        ) as first_response_at,
        max(
            case when events.event_type = 'status_changed' and events.new_status = tasks.status then events.created_at end
        ) as status_reached_at
    from tasks
    inner join events on tasks.task_id = events.task_id and tasks.organization_id = events.organization_id
    group by tasks.task_id
),

task_comments as (
    select
        tasks.task_id,
        count(*) as comment_count,
        min(case when comments.created_at > tasks.created_at then comments.created_at end) as first_comment_at
    from tasks
    inner join comments on tasks.task_id = comments.task_id
    group by tasks.task_id
),

joined as (
    select
        tasks.*,
        coalesce(task_events.event_count, 0) as event_count,
        coalesce(task_events.escalation_count, 0) as escalation_count,
        coalesce(task_comments.comment_count, 0) as comment_count,
        {{ least_filled(['task_events.first_response_at', 'task_comments.first_comment_at']) }} as first_response_at,
        -- Decision D138: the requester was sensitive and is no longer known.
        tasks.requester_person_id is null and sensitive_before.task_id is not null as is_sensitive_requester_removed,
        case
            when tasks.status in ({{ closed_tokens('task_status') }})
                then coalesce(tasks.closed_at, task_events.status_reached_at, tasks.updated_at)
        end as known_closed_at
    from tasks
    left join task_events on tasks.task_id = task_events.task_id
    left join task_comments on tasks.task_id = task_comments.task_id
    left join sensitive_before
        on tasks.task_id = sensitive_before.task_id and tasks.organization_id = sensitive_before.organization_id
),

final as (
    select
        task_id,
        organization_id,
        case_id,
        label,
        is_label_valid,
        {{ label_parts() }},
        type,
        category,
        subtype,
        priority,
        severity,
        {{ visibility_of_rank(
            greatest_filled([
                visibility_rank('visibility'),
                'case when is_about_sensitive_person or is_sensitive_requester_removed then ' ~ restricted_rank() ~ ' end',
            ])
        ) }} as visibility,
        is_about_sensitive_person or is_sensitive_requester_removed as is_about_sensitive_person,
        source,
        assignee_role,
        created_at,
        known_closed_at as closed_at,
        {{ clamped('reactivity_deadline_at') }} as deadline_at,
        status as current_status,
        {{ seconds_between('created_at', 'first_response_at') }} as time_to_first_response_seconds,
        {{ seconds_between('created_at', 'known_closed_at') }} as time_to_completion_seconds,
        cast(escalation_count as integer) as escalation_count,
        cast(comment_count as integer) as comment_count,
        cast(event_count as integer) as event_count,
        {{ quality_flags({
            'label_unparsable': 'not is_label_valid',
            'visibility_unknown': 'visibility is null or visibility not in (' ~ enum_tokens('visibility') ~ ')',
            'closed_at_on_open_status': 'closed_at is not null and known_closed_at is null',
            'closed_at_inferred': 'closed_at is null and known_closed_at is not null',
            'closed_before_created': 'known_closed_at < created_at',
            'case_of_another_organization': 'is_case_foreign',
            'requester_of_another_organization': 'is_requester_foreign',
            'linked_user_of_another_organization': 'is_linked_user_foreign',
            'creator_of_another_organization': 'is_creator_foreign',
            'sensitive_requester_removed': 'is_sensitive_requester_removed',
            'deadline_out_of_range': is_outside_calendar('reactivity_deadline_at'),
            'type_too_long': 'length(type) > ' ~ key_length(),
        }) }}
    from joined
)

select * from final
