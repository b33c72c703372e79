{{ config(
    materialized='table',
    pre_hook="{{ avoid_nested_loops() }}",
    post_hook='{{ log_load() }}',
    meta={'load_of': 'int_task_lifecycle'}
) }}
{%- set in_order = 'partition by organization_id, task_id order by place, event_at, event_id' %}

with tasks as (
    select
        organization_id,
        task_id,
        visibility,
        created_at,
        closed_at,
        current_status
    from {{ ref('int_task_lifecycle') }}
),

load as (
    {{ load_of_statuses() }}
),

-- What decides the statuses of a task, in order: its creation, the events, and the status of its row. An event from before the creation
-- counts as of the creation, in the order of the events themselves.
entries as (
    select
        organization_id,
        task_id,
        visibility,
        'creation' as kind,
        0 as place,
        cast(null as {{ type_of('timestamp with time zone') }}) as event_at,
        cast(null as {{ type_of('uuid') }}) as event_id,
        current_status as status,
        null as old_status,
        created_at as started_at
    from tasks
    union all
    select
        tasks.organization_id,
        tasks.task_id,
        tasks.visibility,
        'event' as kind,
        1 as place,
        events.created_at as event_at,
        events.event_id,
        events.new_status as status,
        events.old_status,
        {{ greatest_filled(['events.created_at', 'tasks.created_at']) }} as started_at
    from tasks
    inner join {{ ref('stg_task_events') }} as events
        on tasks.task_id = events.task_id and tasks.organization_id = events.organization_id
    cross join load
    where
        events.event_type = 'status_changed'
        and events.new_status in ({{ enum_tokens('task_status') }})
        and events.created_at >= {{ calendar_start() }}
        and events.created_at < load.horizon
    union all
    select
        organization_id,
        task_id,
        visibility,
        'row' as kind,
        2 as place,
        cast(null as {{ type_of('timestamp with time zone') }}) as event_at,
        cast(null as {{ type_of('uuid') }}) as event_id,
        current_status as status,
        null as old_status,
        closed_at as started_at
    from tasks
),

-- A task begins in the status that its first event left. The status of the row wins: where the events do not lead to it, it follows the
-- last of them. The windows have one order, so that the rows are sorted once.
starts as (
    select
        organization_id,
        task_id,
        visibility,
        place,
        event_at,
        event_id,
        case
            when kind <> 'creation' then status
            when lead(old_status) over ({{ in_order }}) in ({{ enum_tokens('task_status') }}) then lead(old_status) over ({{ in_order }})
            when lead(kind) over ({{ in_order }}) = 'event' or status in ({{ closed_tokens('task_status') }}) then 'PENDING'
            else status
        end as status,
        case
            when kind = 'row' then {{ greatest_filled(['started_at', 'lag(started_at) over (' ~ in_order ~ ')']) }}
            else started_at
        end as started_at
    from entries
),

-- A repeated event, or one to the status that the task has, begins nothing.
compared as (
    select
        *,
        lag(status) over ({{ in_order }}) as former_status
    from starts
),

numbered as (
    select
        *,
        row_number() over ({{ in_order }}) as status_number,
        lead(started_at) over ({{ in_order }}) as ended_at
    from compared
    where status is distinct from former_status
),

final as (
    select
        organization_id,
        task_id,
        {{ status_id('task_id', 'status_number') }} as status_id,
        cast(status_number as integer) as status_number,
        status,
        status in ({{ closed_tokens('task_status') }}) as is_closed,
        coalesce(former_status in ({{ closed_tokens('task_status') }}), false)
        and status not in ({{ closed_tokens('task_status') }}) as is_reopening,
        started_at,
        ended_at,
        visibility
    from numbered
)

select * from final
