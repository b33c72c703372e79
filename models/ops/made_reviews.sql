{{ config(
    materialized='view',
    meta={'readable': ['cadence', 'review_date', 'as_of']},
    post_hook='{{ grant_readable() }}'
) }}
{%- for cadence, unit in review_cadences().items() %}
select
    '{{ cadence }}' as cadence,
    cast({{ start_of(unit, 'cast(as_of as timestamp)') }} as date) as review_date,
    as_of,
    invocation_id
from {{ source('insights_ops', 'load_log') }}
where relation_name = 'pattern_{{ cadence }}'
{%- if not loop.last %}
union all
{%- endif %}
{%- endfor %}
