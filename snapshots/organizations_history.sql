{% snapshot organizations_history %}
{{ config(unique_key='organization_id') }}
select * from {{ ref('int_organization_profiles') }}
{% endsnapshot %}
