with organizations as (
    select * from {{ ref('stg_organizations') }}
),

organization_profiles as (
    select * from {{ ref('stg_organization_profiles') }}
),

final as (
    select
        organizations.organization_id,
        organizations.slug,
        organizations.display_name,
        organizations.status,
        organizations.timezone,
        organizations.is_timezone_missing,
        organization_profiles.profile_code,
        organizations.created_at,
        {{ greatest_filled(['organizations.updated_at', 'organization_profiles.updated_at']) }} as updated_at
    from organizations
    left join organization_profiles on organizations.organization_id = organization_profiles.organization_id
)

select * from final
