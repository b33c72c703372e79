{#- Former rows in PostgreSQL. -#}

{% macro postgres__row_as_json(row, columns) -%}
    jsonb_build_object(
            {%- for column in columns %}
            '{{ column }}', {{ row }}.{{ column }}{{ ',' if not loop.last }}
            {%- endfor %}
        )
{%- endmacro %}

{% macro postgres__row_of_json(contents, relation) -%} jsonb_populate_record(cast(null as {{ relation }}), {{ contents }}) {%- endmacro %}

{% macro postgres__rows_as_json(columns, order_by, condition) -%}
    jsonb_agg(
            jsonb_build_object({% for column in columns %}'{{ column }}', {{ column }}{{ ', ' if not loop.last }}{% endfor %}) order by {{ order_by }}
        ) filter (where {{ condition }})
{%- endmacro %}

{% macro postgres__rows_of_json(contents, columns) -%}
    (
            select * from jsonb_to_recordset({{ contents }})
                as rows ({% for name, type in columns.items() %}{{ name }} {{ type }}{{ ', ' if not loop.last }}{% endfor %})
        )
{%- endmacro %}

{% macro postgres__delete_unlocked(relation, condition) %}
    delete from {{ relation }}
    where
        ctid = any(array(
            select former.ctid
            from {{ relation }} as former
            where {{ condition }}
            for update skip locked
        ))
{% endmacro %}
