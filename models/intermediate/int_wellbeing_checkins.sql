with checkins as (
    select * from {{ ref('int_wellbeing_checkins_checked') }}
    where is_accepted
),

memberships as (
    select * from {{ ref('stg_learning_group_memberships') }}
),

learning_groups as (
    select * from {{ ref('stg_learning_groups') }}
    where learning_group_id not in ({{ rejected_rows('learning_groups') }})
),

tasks as (
    select * from {{ ref('stg_tasks') }}
),

-- Decision D16: the only membership open at that time; of several, the one whose group code equals the context.
open_memberships as (
    select
        checkins.checkin_id,
        count(distinct memberships.learning_group_id) as group_count,
        min(cast(memberships.learning_group_id as text)) as any_group_id,
        count(distinct memberships.learning_group_id) filter (where learning_groups.code = checkins.context) as matching_count,
        min(cast(memberships.learning_group_id as text)) filter (where learning_groups.code = checkins.context) as matching_group_id
    from checkins
    inner join memberships
        on
            checkins.person_id = memberships.person_id
            and checkins.created_at >= memberships.joined_at
            and checkins.created_at < coalesce(memberships.left_at, 'infinity')
    inner join learning_groups on memberships.learning_group_id = learning_groups.learning_group_id
    group by checkins.checkin_id
),

membership_changes as (
    select
        memberships.person_id,
        max(greatest(memberships.updated_at, learning_groups.updated_at)) as changed_at
    from memberships
    left join learning_groups on memberships.learning_group_id = learning_groups.learning_group_id
    group by memberships.person_id
),

final as (
    select
        checkins.checkin_id,
        checkins.organization_id,
        checkins.person_id,
        case
            when open_memberships.group_count = 1 then cast(open_memberships.any_group_id as uuid)
            when open_memberships.matching_count = 1 then cast(open_memberships.matching_group_id as uuid)
        end as learning_group_id,
        checkins.score,
        checkins.tags,
        tasks.case_id as related_case_id,
        checkins.related_task_id,
        case when checkins.person_id is null then 'ANONYMISED' else 'RESTRICTED' end as visibility,
        checkins.created_at,
        greatest(checkins.updated_at, membership_changes.changed_at, tasks.updated_at) as changed_at
    from checkins
    left join open_memberships on checkins.checkin_id = open_memberships.checkin_id
    left join membership_changes on checkins.person_id = membership_changes.person_id
    left join tasks on checkins.related_task_id = tasks.task_id
)

select * from final
