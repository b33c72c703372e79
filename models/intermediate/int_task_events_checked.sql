with events as (
    select * from {{ ref('stg_task_events') }}
),

tasks as (
    select task_id from {{ ref('stg_tasks') }}
),

final as (
    select
        events.*,
        {{ rejection(
            missing={'unknown_task': 'tasks.task_id is null', 'missing_created_at': 'created_at is null'},
            tokens={'event_type': 'task_event_type'}
        ) }}
    from events
    left join tasks on events.task_id = tasks.task_id
)

select * from final
