{#- What a staging model reads: a call of the table's function. A view that named the table would keep Orgo from dropping or changing its
    columns, while PostgreSQL records no dependency of a function's body (decision D141). The planner inlines the function. Unit tests
    read the select itself. -#}
{% macro postgres__read_source(table) -%}
    {%- if execute and model.resource_type == 'model' -%} select * from {{ source_function(table) }}()
    {%- else -%} {{ source_select(table) }}
    {%- endif -%}
{%- endmacro %}

{% macro source_function(table) -%} {{ target.schema }}_staging.read_{{ table }} {%- endmacro %}

{#- pre-hook of a staging model: creates or replaces the function that reads the model's operational table. -#}
{% macro postgres__replace_source_function() %}
    {%- set table = model.name | replace('stg_', '', 1) -%}
    {%- if not execute or not contract_columns(table) -%}{{- return('') -}}{%- endif -%}
    {%- set columns = [] -%}
    {%- for name, column in contract_columns(table).items() -%}{%- do columns.append(name ~ ' ' ~ column.data_type) -%}{%- endfor -%}
    {#- Without the database's name, so that a copy of the database under another name works. -#}
    {%- set relation = source('orgo', table) -%}
    {%- set read = without_repeated_rows(table) if repeated_rows(table) else source_select(table) -%}
    {%- set body = read | replace(relation | string, relation.include(database=false) | string) -%}
    {%- set create -%}
        function {{ source_function(table) }}() returns table ({{ columns | join(', ') }})
        language sql stable {{ 'parallel safe' if 'try_cast' not in body }}
        as $body$ {{ body }} $body$
    {%- endset %}
    do $function$
    declare
        others text;
    begin
        create or replace {{ create }};
    exception when invalid_function_definition then
        if to_regclass({{ sql_text(this) }}) is not null then
            select string_agg(reader, ', ') into others from ({{ readers_of(this) }}) as readers where not is_own;
        end if;
        if others is not null then
            raise exception using message = format(
                '%s must be replaced, because its query or columns changed, and these relations read it: %s.'
                ' Drop them, run the load again, then create them again.', {{ sql_text(this) }}, others
            );
        end if;
        drop function {{ source_function(table) }}() cascade;
        create {{ create }};
    end
    $function$
{% endmacro %}
