with checkins as (
    select
        checkin_id,
        organization_id,
        case when not is_person_foreign then person_id end as person_id,
        case when not is_task_foreign then related_task_id end as related_task_id,
        related_case_id,
        is_person_foreign,
        is_task_foreign,
        is_case_foreign,
        context,
        score,
        tags,
        created_at,
        updated_at
    from {{ ref('int_wellbeing_checkins_checked') }}
    where is_accepted
),

memberships as (
    select
        memberships.person_id,
        memberships.learning_group_id,
        memberships.joined_at,
        memberships.left_at,
        learning_groups.organization_id,
        learning_groups.code,
        learning_groups.created_at as group_created_at,
        {{ greatest_filled(['memberships.updated_at', 'learning_groups.updated_at']) }} as changed_at
    from {{ ref('stg_learning_group_memberships') }} as memberships
    inner join {{ ref('stg_learning_groups') }} as learning_groups
        on memberships.learning_group_id = learning_groups.learning_group_id
    where memberships.learning_group_id not in ({{ rejected_rows('learning_groups') }})
),

tasks as (
    select * from {{ ref('int_tasks_checked') }}
),

cases as (
    select * from {{ ref('stg_cases') }}
),

-- Decision D16: the only membership open at that time; of several, the one whose group code equals the context.
open_memberships as (
    select
        checkins.checkin_id,
        count(distinct memberships.learning_group_id) as group_count,
        min(cast(memberships.learning_group_id as {{ type_of('text') }})) as any_group_id,
        count(distinct case when memberships.code = checkins.context then memberships.learning_group_id end) as matching_count,
        min(
            case when memberships.code = checkins.context then cast(memberships.learning_group_id as {{ type_of('text') }}) end
        ) as matching_group_id
    from checkins
    inner join memberships
        on
            checkins.person_id = memberships.person_id
            and checkins.organization_id = memberships.organization_id
            -- Decision D134: a membership without a start counts from its group's, or always.
            and checkins.created_at >= coalesce(memberships.joined_at, memberships.group_created_at, {{ moment_of('-infinity') }})
            and checkins.created_at < coalesce(memberships.left_at, {{ moment_of('infinity') }})
    group by checkins.checkin_id
),

membership_changes as (
    select
        person_id,
        max(changed_at) as changed_at
    from memberships
    group by person_id
),

final as (
    select
        checkins.checkin_id,
        checkins.organization_id,
        checkins.person_id,
        case
            when open_memberships.group_count = 1 then cast(open_memberships.any_group_id as {{ type_of('uuid') }})
            when open_memberships.matching_count = 1 then cast(open_memberships.matching_group_id as {{ type_of('uuid') }})
        end as learning_group_id,
        checkins.score,
        checkins.tags,
        coalesce(cases.case_id, case when not tasks.is_case_foreign then tasks.case_id end) as related_case_id,
        checkins.related_task_id,
        case when checkins.person_id is null then 'ANONYMISED' else 'RESTRICTED' end as visibility,
        checkins.created_at,
        {{ greatest_filled(['checkins.updated_at', 'membership_changes.changed_at', 'tasks.updated_at']) }} as changed_at,
        {{ quality_flags({
            'person_of_another_organization': 'checkins.is_person_foreign',
            'task_of_another_organization': 'checkins.is_task_foreign',
            'case_of_another_organization': 'checkins.is_case_foreign',
        }) }}
    from checkins
    left join open_memberships on checkins.checkin_id = open_memberships.checkin_id
    left join membership_changes on checkins.person_id = membership_changes.person_id
    left join tasks on checkins.related_task_id = tasks.task_id and checkins.organization_id = tasks.organization_id
    left join cases on checkins.related_case_id = cases.case_id and checkins.organization_id = cases.organization_id
)

select * from final
