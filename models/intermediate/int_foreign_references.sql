{%- set entities = {
    'task': (ref('dim_tasks'), 'task_id'),
    'case': (ref('dim_cases'), 'case_id'),
    'person': (ref('dim_persons'), 'person_id'),
    'learning_group': (ref('dim_learning_groups'), 'learning_group_id'),
} -%}
select
    'learning_group_memberships' as relation_name,
    learning_groups.organization_id,
    'person_of_another_organization' as finding,
    false as is_loaded
from {{ ref('stg_learning_group_memberships') }} as memberships
inner join {{ ref('stg_learning_groups') }} as learning_groups
    on memberships.learning_group_id = learning_groups.learning_group_id
inner join {{ ref('stg_person_profiles') }} as persons on memberships.person_id = persons.person_id
where {{ is_foreign('learning_groups', 'persons') }}
union all
select
    'bridge_entity_labels' as relation_name,
    bridge.organization_id,
    'label_of_another_organization' as finding,
    true as is_loaded
from {{ ref('bridge_entity_labels') }} as bridge
inner join {{ ref('dim_labels') }} as labels on bridge.label_id = labels.label_id
where {{ is_foreign('bridge', 'labels') }}
{%- for entity, (relation, key) in entities.items() %}
union all
select
    'bridge_entity_labels' as relation_name,
    bridge.organization_id,
    'entity_of_another_organization' as finding,
    true as is_loaded
from {{ ref('bridge_entity_labels') }} as bridge
inner join {{ relation }} as entities on bridge.entity_id = entities.{{ key }}
where bridge.entity_type = '{{ entity }}' and {{ is_foreign('bridge', 'entities') }}
{%- endfor %}
