{% snapshot labels_history %}
{{ config(unique_key='label_id') }}
select * from {{ ref('stg_label_definitions') }}
{% endsnapshot %}
