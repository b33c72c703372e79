{{ config(unique_key=['organization_id', 'task_id', 'limit_kind'], meta={'load_of': 'fact_tasks'}) }}
{%- set next_day = later('load.horizon', 24, 'hour') %}

with load as (
    {{ latest_load('fact_tasks') }}
),

-- A task of a certain age reaches a limit before the next load, so tasks of one day are looked at for each limit. In business time, those
-- whose open seconds reach it: none where the organization is closed until the next load.
limits as (
    select
        profiles.organization_id,
        profiles.domain,
        profiles.limits_in,
        profiles.calendar,
        profiles.timezone,
        kinds.limit_kind,
        kinds.seconds,
        case
            when profiles.limits_in = 'business'
                then coalesce(
                    {{ open_moment('profiles', open_seconds('profiles', 'load.horizon') ~ ' - kinds.seconds') }},
                    {{ moment_of('-infinity') }}
                )
            else {{ add_seconds('load.horizon', '-1 * kinds.seconds') }}
        end as created_from,
        case
            when profiles.limits_in = 'business'
                then coalesce(
                    {{ open_moment('profiles', open_seconds('profiles', next_day) ~ ' - kinds.seconds') }},
                    {{ moment_of('-infinity') }}
                )
            else {{ add_seconds(next_day, '-1 * kinds.seconds') }}
        end as created_before
    from {{ ref('int_applicable_profiles') }} as profiles
    cross join load
    cross join {{ lateral() }} {{ rows_beside('kinds', ['limit_kind', 'seconds'], [
        ["'first_response'", 'profiles.reactivity_seconds'],
        ["'completion'", 'profiles.max_escalation_seconds'],
    ]) }}
    {{ computed_once() }}
),

due as (
    select
        tasks.task_id,
        tasks.organization_id,
        limits.limit_kind,
        case
            when limits.limits_in = 'business'
                then {{ open_moment('limits', open_seconds('limits', 'tasks.created_at') ~ ' + limits.seconds', last=true) }}
            else {{ add_seconds('tasks.created_at', 'limits.seconds') }}
        end as due_at
    from limits
    inner join {{ ref('dim_tasks') }} as tasks
        on
            limits.organization_id = tasks.organization_id
            and limits.created_from <= tasks.created_at
            and limits.created_before > tasks.created_at
    inner join {{ ref('fact_tasks') }} as facts
        on tasks.task_id = facts.task_id and tasks.organization_id = facts.organization_id
    {{ join_profiles('tasks', 'tasks.type') }}
    where
        tasks.closed_at is null
        and limits.domain = profiles.domain
        and (limits.limit_kind = 'completion' or facts.time_to_first_response_seconds is null)
    union all
    select
        tasks.task_id,
        tasks.organization_id,
        'deadline' as limit_kind,
        tasks.deadline_at as due_at
    from {{ ref('dim_tasks') }} as tasks
    cross join load
    where
        tasks.closed_at is null
        and tasks.deadline_at >= load.horizon
        and tasks.deadline_at < {{ next_day }}
),

final as (
    select
        due.organization_id,
        due.task_id,
        due.limit_kind,
        due.due_at,
        {{ key_text('tasks.type') }} as domain,
        tasks.current_status as status,
        tasks.priority,
        tasks.severity,
        tasks.visibility,
        tasks.created_at
    from due
    inner join {{ ref('dim_tasks') }} as tasks
        on due.task_id = tasks.task_id and due.organization_id = tasks.organization_id
)

select * from final
