-- A row has a closing date exactly when its status is closed, and a completion time exactly when the closing is not before the creation.
select task_id as row_key
from {{ ref('fact_tasks') }}
where
    {{ is_unchecked('fact_tasks') }}
    and (
        (closed_date_key is not null) <> (current_status in ({{ closed_tokens('task_status') }}))
        or (closed_date_key is null and time_to_completion_seconds is not null)
        or (closed_date_key > created_date_key and time_to_completion_seconds is null)
        or (closed_date_key < created_date_key and time_to_completion_seconds is not null)
    )
union all
select case_id as row_key
from {{ ref('fact_cases') }}
where
    {{ is_unchecked('fact_cases') }}
    and (
        (closed_date_key is not null) <> (status in ({{ closed_tokens('case_status') }}))
        or closed_date_key < opened_date_key
    )
