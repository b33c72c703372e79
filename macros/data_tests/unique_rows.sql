{#- Whether a valid unique index rules out that two rows of a relation are equal in these columns, NULLs being equal. -#}
{% macro is_unique_by_index(relation, columns) %}
    {% if not execute %}{{ return(false) }}{% endif %}
    {% set query %}
        select exists (
            select 1
            from pg_index as i
            where
                i.indrelid = to_regclass({{ sql_text(relation) }})
                and i.indisunique and i.indisvalid and i.indpred is null and i.indexprs is null
                and (
                    select
                        bool_and(a.attname = any(array['{{ columns | join("', '") }}']))
                        and (i.indnullsnotdistinct or bool_and(a.attnotnull))
                    from pg_attribute as a
                    where a.attrelid = i.indrelid and a.attnum = any(cast(i.indkey as smallint[]))
                )
        ) as is_unique
    {% endset %}
    {{ return(run_query(query).rows[0]['is_unique']) }}
{% endmacro %}

{#- Leaves the rows that may share their key with one that was written since the test last passed: those that agree with it in the columns
    of the key that are never NULL. All rows if every column of the key may be NULL. -#}
{% macro with_unchecked_keys(relation, columns) -%}
    {%- set node = orgo_insights.tested_model() -%}
    {%- set condition = unchecked_rows(node) if node else none -%}
    {%- set filled = columns | select('in', filled_columns(node)) | join(', ') if condition else '' -%}
    {%- if filled -%}
where ({{ filled }}) in (select {{ filled }} from {{ relation }} where {{ condition }})
    {%- endif -%}
{%- endmacro %}
