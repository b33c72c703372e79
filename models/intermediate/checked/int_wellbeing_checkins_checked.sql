select
    checkins.*,
    {{ is_foreign('checkins', 'persons') }} as is_person_foreign,
    {{ is_foreign('checkins', 'tasks') }} as is_task_foreign,
    {{ is_foreign('checkins', 'cases') }} as is_case_foreign,
    {{ rejection(
        missing={
            'missing_organization_id': 'checkins.organization_id is null',
            'missing_created_at': 'checkins.created_at is null',
            'unknown_organization': is_unknown_organization('checkins.organization_id'),
            'score_out_of_range': 'checkins.score is null or checkins.score not between 1 and 10',
        },
        dates=['checkins.created_at']
    ) }}
from {{ ref('stg_wellbeing_checkins') }} as checkins
left join {{ ref('stg_person_profiles') }} as persons on checkins.person_id = persons.person_id
left join {{ ref('stg_tasks') }} as tasks on checkins.related_task_id = tasks.task_id
left join {{ ref('stg_cases') }} as cases on checkins.related_case_id = cases.case_id
