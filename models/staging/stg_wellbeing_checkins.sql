select
    id as checkin_id,
    organization_id,
    person_id,
    context,
    score,
    tags,
    related_task_id,
    case_id as related_case_id,
    created_at,
    {{ greatest_filled(['created_at', 'updated_at']) }} as updated_at
from ({{ read_source('wellbeing_checkins') }}) as source
