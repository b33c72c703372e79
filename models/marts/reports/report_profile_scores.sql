{%- set key = ['organization_id', 'domain', 'visibility'] %}
{{ config(
    materialized='materialized_view',
    unique_key=key,
    indexes=[{'columns': key, 'unique': true}],
    meta={'load_of': 'fact_tasks'}
) }}

select * from {{ ref('int_profile_scores') }}
