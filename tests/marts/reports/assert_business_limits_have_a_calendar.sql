-- Every organization whose profile counts its limits in business time has a calendar; the wall clock judges others (decision D221).
{{ config(severity='warn') }}
select
    organization_id,
    domain,
    profile_code
from {{ ref('int_applicable_profiles') }}
where is_calendar_missing
