-- On each of the last days, about as many tasks of an organization lack a domain or deadline as on the same weekday before (decision D223).
{{ config(severity='warn') }}
{%- set rules = var('anomalies') %}
with bands as (
    {%- for value in ['domain', 'deadline'] %}
    select
        '{{ value }}' as missing_value,
        of_value.*
    from ({{ weekday_bands('without_' ~ value ~ '_count') }}) as of_value
    {{ 'union all' if not loop.last }}
    {%- endfor %}
)

select
    missing_value,
    organization_id,
    day,
    missing_share,
    least_share,
    most_share
from bands
where
    task_count >= {{ rules.min_tasks }}
    and mean_count >= {{ rules.min_tasks }}
    and (
        missing_share < least_share - {{ rules.max_share_change }}
        or missing_share > most_share + {{ rules.max_share_change }}
    )
