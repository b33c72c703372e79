{#- The strategy of the snapshots: a row with other contents starts a new version, whatever its updated_at says, and a row that the source
    no longer has ends its version (`hard_deletes`). A version is valid from the row's updated_at; from the time of the load if the
    versions before it began or ended later, or it is not yet reached (decision D144). dbt requires the name and the arguments. -#}
{% macro snapshot_contents_strategy(node, snapshotted_rel, current_rel, model_config, target_exists) %}
    {%- set key = config.get('unique_key') -%}
    {%- set hard_deletes = adapter.get_hard_deletes_behavior(config) -%}
    {%- set stored = adapter.get_relation(node.database, node.schema, node.alias) if target_exists -%}
    {%- set stored_columns = column_names(stored) if stored else [] -%}
    {%- set changes = [] -%}
    {%- for column in node.columns if column != 'updated_at' and not column.startswith('dbt_') -%}
        {%- do changes.append(
            snapshotted_rel ~ '.' ~ column ~ ' is distinct from ' ~ current_rel ~ '.' ~ column if column in stored_columns else 'true'
        ) -%}
    {%- endfor -%}
    {%- set former -%}
        (
            select max(coalesce(former.dbt_valid_to, former.dbt_valid_from))
            from {{ stored }} as former
            where former.{{ key }} = snapshot_query.{{ key }}
        )
    {%- endset -%}
    {%- set valid_from -%}
        case
            when updated_at <= {{ current_moment() }} {%- if stored %} and updated_at > coalesce({{ former }}, {{ moment_of('-infinity') }}) {%- endif %} then updated_at
            else {% if stored %} {{ greatest_filled([current_moment(), later(former, 1, 'microsecond')]) }} {% else %} {{ current_moment() }} {% endif %}
        end
    {%- endset -%}
    {{ return({
        'unique_key': key,
        'updated_at': valid_from,
        'row_changed': '(' ~ changes | join(' or ') ~ ')',
        'scd_id': snapshot_hash_arguments(api.Relation.scd_args(key, valid_from)),
        'invalidate_hard_deletes': hard_deletes == 'invalidate',
        'hard_deletes': hard_deletes,
    }) }}
{% endmacro %}
