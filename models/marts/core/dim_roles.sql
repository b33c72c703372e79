{{ config(unique_key='role_id') }}

with history as (
    select * from {{ ref('roles_history') }}
),

final as (
    select
        role_id,
        organization_id,
        code,
        display_name,
        description,
        is_system_role
    from history
    where dbt_valid_to is null and role_id not in ({{ rejected_rows('roles') }})
)

select * from final
