-- On each of the last days, an organization creates about as many tasks as on the same weekday before (decision D223).
{{ config(severity='warn') }}
{%- set rules = var('anomalies') %}
with bands as (
    {{ weekday_bands('without_deadline_count') }}
)

select
    organization_id,
    day,
    task_count,
    least_count,
    most_count
from bands
where
    mean_count >= {{ rules.min_tasks }}
    and (task_count < least_count / {{ rules.factor }}.0 or task_count > most_count * {{ rules.factor }})
