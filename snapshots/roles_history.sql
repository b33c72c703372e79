{% snapshot roles_history %}
{{ config(unique_key='role_id') }}
select * from {{ ref('stg_roles') }}
{% endsnapshot %}
