select
    case_id,
    max(needed_on) as last_needed_on
from (
    select
        case_id,
        review_date as needed_on
    from {{ ref('review_requests') }}
    {%- for cadence in review_cadences().keys() %}
    union all
    select
        requests.case_id,
        patterns.review_date as needed_on
    from {{ ref('review_requests') }} as requests
    inner join {{ ref('pattern_' ~ cadence) }} as patterns
        on
            requests.pattern_id = patterns.pattern_id
            and requests.organization_id = patterns.organization_id
            and requests.episode_start = patterns.episode_start
    {%- endfor %}
) as needs
group by case_id
