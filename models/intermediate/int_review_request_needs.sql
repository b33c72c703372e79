select
    requests.case_id,
    greatest(requests.review_date, max(patterns.review_date)) as last_needed_on
from {{ ref('review_requests') }} as requests
left join (
    {%- for cadence in review_cadences().keys() %}
    select
        pattern_id,
        episode_start,
        review_date
    from {{ ref('pattern_' ~ cadence) }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
) as patterns on requests.pattern_id = patterns.pattern_id and requests.episode_start = patterns.episode_start
group by requests.case_id, requests.review_date
