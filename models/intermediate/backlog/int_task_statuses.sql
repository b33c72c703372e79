{{ config(
    materialized='table',
    pre_hook="{{ avoid_nested_loops() }}",
    post_hook='{{ log_load() }}',
    meta={'load_of': 'int_task_lifecycle'}
) }}

with tasks as (
    select * from {{ ref('int_task_lifecycle') }}
),

load as (
    {{ load_of_statuses() }}
),

-- An event from before the creation counts as of the creation, in the order of the events themselves.
changes as (
    select
        tasks.organization_id,
        tasks.task_id,
        events.old_status,
        events.new_status as status,
        greatest(events.created_at, tasks.created_at) as started_at,
        row_number() over (
            partition by tasks.organization_id, tasks.task_id order by events.created_at asc, events.event_id asc
        ) as place,
        row_number() over (
            partition by tasks.organization_id, tasks.task_id order by events.created_at desc, events.event_id desc
        ) as place_from_end
    from tasks
    inner join {{ ref('stg_task_events') }} as events
        on tasks.task_id = events.task_id and tasks.organization_id = events.organization_id
    cross join load
    where
        events.event_type = 'status_changed'
        and events.new_status in ({{ enum_tokens('task_status') }})
        and events.created_at >= {{ calendar_start() }}
        and events.created_at < load.horizon
),

bounds as (
    select
        tasks.organization_id,
        tasks.task_id,
        tasks.created_at,
        tasks.closed_at,
        tasks.current_status,
        case
            when first_changes.old_status in ({{ enum_tokens('task_status') }}) then first_changes.old_status
            when first_changes.task_id is not null or tasks.current_status in ({{ closed_tokens('task_status') }}) then 'PENDING'
            else tasks.current_status
        end as first_status,
        coalesce(last_changes.started_at, tasks.created_at) as last_started_at
    from tasks
    left join changes as first_changes
        on
            tasks.task_id = first_changes.task_id
            and tasks.organization_id = first_changes.organization_id
            and first_changes.place = 1
    left join changes as last_changes
        on
            tasks.task_id = last_changes.task_id
            and tasks.organization_id = last_changes.organization_id
            and last_changes.place_from_end = 1
),

-- The status of the row wins: where the events do not lead to it, it follows the last of them.
starts as (
    select
        organization_id,
        task_id,
        first_status as status,
        created_at as started_at,
        0 as place
    from bounds
    union all
    select
        organization_id,
        task_id,
        status,
        started_at,
        place
    from changes
    union all
    select
        organization_id,
        task_id,
        current_status as status,
        greatest(closed_at, last_started_at) as started_at,
        null as place
    from bounds
),

-- A repeated event, or one to the status that the task has, begins nothing.
compared as (
    select
        *,
        lag(status) over (partition by organization_id, task_id order by place asc nulls last) as former_status
    from starts
),

numbered as (
    select
        *,
        row_number() over (partition by organization_id, task_id order by place asc nulls last) as status_number,
        lead(started_at) over (partition by organization_id, task_id order by place asc nulls last) as ended_at
    from compared
    where status is distinct from former_status
),

final as (
    select
        numbered.organization_id,
        numbered.task_id,
        {{ status_id('numbered.task_id', 'numbered.status_number') }} as status_id,
        cast(numbered.status_number as integer) as status_number,
        numbered.status,
        numbered.status in ({{ closed_tokens('task_status') }}) as is_closed,
        coalesce(numbered.former_status in ({{ closed_tokens('task_status') }}), false)
        and numbered.status not in ({{ closed_tokens('task_status') }}) as is_reopening,
        numbered.started_at,
        numbered.ended_at,
        tasks.visibility
    from numbered
    inner join tasks on numbered.task_id = tasks.task_id and numbered.organization_id = tasks.organization_id
)

select * from final
