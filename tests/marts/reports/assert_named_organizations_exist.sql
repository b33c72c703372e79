-- Every organization that a file of the deployment names exists (decision D268); `insights doctor` names the lines.
{{ config(severity='warn') }}
with named as (
    select organization_slug from {{ ref('business_calendars') }}
    union all
    select organization_slug from {{ ref('targets') }}
)

select named.organization_slug
from named
where
    named.organization_slug <> '*'
    and not exists (
        select 1 from {{ ref('dim_organizations') }} as organizations
        where organizations.slug = named.organization_slug
    )
