{#- First line of every incremental mart. Stops a run that would lose rows: a
    --full-refresh of an existing table (decision D8), or a first build from a delta table that holds only changes. A rebuild skips
    models with `full_refresh: false`: the history of reviews, which cannot be restored from an operational database. -#}
{% macro guard_history() %}
    {% if not execute or flags.WHICH not in ('build', 'run', 'retry') %}{{ return('') }}{% endif %}
    {% if flags.FULL_REFRESH and load_relation(this) is not none and not var('rebuild', false) %}
        {{ exceptions.raise_compiler_error(
            "--full-refresh would rebuild " ~ this ~ " from the operational database and lose every row that is no longer there."
            ~ " If that is meant: insights rebuild --yes"
        ) }}
    {% endif %}
    {% if is_incremental() or is_empty_run() %}{{ return('') }}{% endif %}
    {% set delta = (config.get('meta') or {}).get('delta') %}
    {% if delta %}
        {% set query %}
            select loaded_from = {{ moment_of('-infinity') }} as is_whole
            from {{ source('insights_ops', 'load_log') }}
            where relation_name = '{{ delta }}'
            order by load_log_id desc
            limit 1
        {% endset %}
        {% set found = fetched(query).rows %}
        {% if found | length == 0 or not found[0]['is_whole'] %}
            {{ exceptions.raise_compiler_error(
                this ~ " does not exist, and " ~ delta ~ " holds only the latest changes. Build both: dbt build --select +" ~ model.name
            ) }}
        {% endif %}
    {% endif %}
{% endmacro %}

{#- Last lines of every incremental mart: the candidates that differ from the stored row, so that a second build writes nothing. -#}
{% macro only_changed(candidates) -%}
    {%- if is_shown() -%}{{ return('select * from ' ~ this) }}{%- endif -%}
    {%- set columns = compared_columns() -%}
select
    {{ candidates }}.*,
    {{ current_moment() }} as loaded_at
from {{ candidates }}
{%- if is_incremental() and columns %}
where not exists (
    select 1
    from {{ this }} as former
    where
        {%- for column in key_columns() %}
        {{ 'and ' if not loop.first }}former.{{ column }} = {{ candidates }}.{{ column }}
        {%- endfor %}
        and {{ same_row(columns_of('former', columns), columns_of(candidates, columns)) }}
)
{%- endif %}
{%- endmacro %}

{#- Whether `dbt show` shows an incremental mart that is stored: then it prints the stored rows, not those of the next load. -#}
{% macro is_shown() -%}
    {{- return(flags.WHICH == 'show' and is_incremental()) -}}
{%- endmacro %}

{#- The columns of the model's key, its `unique_key`. None of them is NULL in an incremental mart, or the row would be written again by
    each load. Unit tests set them: dbt gives those no configuration. -#}
{% macro key_columns() -%}
    {%- set key = config.get('unique_key') or [] -%}
    {{- return([key] if key is string else key) -}}
{%- endmacro %}

{#- The same of another model's relation, for tests. -#}
{% macro key_of(relation) -%}
    {%- if not execute %}{{ return(['key']) }}{% endif -%}
    {%- set key = key_or_none(relation) -%}
    {%- if not key %}{{ exceptions.raise_compiler_error(relation ~ " has no unique_key in the config of its model.") }}{% endif -%}
    {{- return(key) -}}
{%- endmacro %}

{#- The same; none for a relation without one. -#}
{% macro key_or_none(relation) -%}
    {%- for node in graph.nodes.values() -%}
        {%- if node.resource_type == 'model' and (node.schema, node.alias) == (relation.schema, relation.identifier) and node.config.unique_key -%}
            {{- return(key_of_node(node)) -}}
        {%- endif -%}
    {%- endfor -%}
    {{- return(none) -}}
{%- endmacro %}

{#- The columns of the key of a model, as a node of the graph; [] without one. -#}
{% macro key_of_node(node) -%}
    {%- set key = node.config.get('unique_key') or [] -%}
    {{- return([key] if key is string else key) -}}
{%- endmacro %}

{#- The columns that make two versions of a row differ: all but the time of writing. None when the stored relation lacks one that
    the model gained, since every stored row differs then. Unit tests set them: dbt gives those neither. -#}
{% macro compared_columns() -%}
    {%- if not execute or not is_incremental() %}{{ return([]) }}{% endif -%}
    {%- set columns = model.columns.keys() | reject('equalto', 'loaded_at') | list -%}
    {%- set stored = column_names(this) -%}
    {{- return([] if columns | reject('in', stored) | list else columns) -}}
{%- endmacro %}
