{%- set tables = [
    ('person_profiles', ref('stg_person_profiles'), 'person_id'),
    ('learning_groups', ref('stg_learning_groups'), 'learning_group_id'),
    ('roles', ref('stg_roles'), 'role_id'),
    ('label_definitions', ref('stg_label_definitions'), 'label_id'),
] %}
{%- set global = ['roles', 'label_definitions'] %}
{%- for source_table, relation, id in tables %}
select
    '{{ source_table }}' as source_table,
    {{ id }} as source_id,
    organization_id,
    updated_at,
    {{ rejection(missing={
        'missing_organization_id': 'false' if source_table in global else 'organization_id is null',
        'unknown_organization': is_unknown_organization('organization_id'),
    }) }}
from {{ relation }}
{%- if not loop.last %}
union all
{%- endif %}
{%- endfor %}
