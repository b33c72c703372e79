{% macro missing_column(table, name, column) -%}
    {%- if not column.config.meta.get('nullable') -%}
        {{ exceptions.raise_compiler_error(
            "The operational table " ~ table ~ " has no column " ~ name ~ " that this role may read, and the column is required."
            ~ " If the column exists, grant the role access to it: insights init"
        ) }}
    {%- endif -%}
    cast(null as {{ type_of(column.data_type) }})
{%- endmacro %}

{#- The text of a column. The owner of a type can define a cast for it, which would run with the rights of the role that loads; PostgreSQL's own
    functions write a value of any type without one (decision D150). -#}
{% macro text_of_column(name, actual) -%}
    {%- if actual == 'enum' -%} textin(enum_out({{ name }}))
    {%- elif actual == 'user-defined' -%} case when num_nulls({{ name }}) = 0 then concat({{ name }}) end
    {%- else -%} cast({{ name }} as text)
    {%- endif -%}
{%- endmacro %}

{#- A column of another type, converted. A value that cannot be converted becomes NULL. Text that is not JSON becomes a JSON string, so
    that it is not lost, and a JSON string becomes its text, without the quotes. -#}
{% macro postgres__converted_column(name, actual, wanted) -%}
    {%- set text = text_of_column(name, actual) -%}
    {%- set try_cast = target.schema ~ "_ops.try_cast(" ~ text ~ ", cast(null as " ~ wanted ~ "))" -%}
    {%- if wanted == 'text' and actual == 'jsonb' -%} {{ name }} #>> '{}'
    {%- elif wanted == 'text' and actual == 'json' -%} ({{ converted_column(name, actual, 'jsonb') }}) #>> '{}'
    {%- elif wanted == 'text' -%} {{ text }}
    {%- elif wanted == 'jsonb' -%} coalesce({{ try_cast }}, to_jsonb({{ text }}))
    {%- elif wanted == 'timestamp with time zone' and actual in ('timestamp without time zone', 'date') -%}
        cast({{ name }} as timestamp) at time zone 'UTC'
    {%- else -%} {{ try_cast }}
    {%- endif -%}
{%- endmacro %}
