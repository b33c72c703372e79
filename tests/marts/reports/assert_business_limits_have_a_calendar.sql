-- Every organization whose profile counts its limits in business time has a calendar; without one, the wall clock judges it (decision D224).
{{ config(severity='warn') }}
select
    organization_id,
    domain,
    profile_code
from {{ ref('int_applicable_profiles') }}
where is_calendar_missing
