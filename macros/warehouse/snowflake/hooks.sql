{#- Side effects of a load in Snowflake. Nothing is needed of statistics, indexes and locks; who reads is decided by roles of the database. -#}

{#- post-hook of every mart: rows of one organization stay together when the table is made. -#}
{% macro snowflake__name_indexes() %}
    {% if execute and config.get('materialized') == 'incremental' and not is_incremental() and 'organization_id' in model.columns %}
    alter table {{ this }} cluster by (organization_id)
    {% endif %}
{% endmacro %}

{#- A view of Snowflake's own may not join: a table that each load makes again has the same rows. -#}
{% materialization materialized_view, adapter='snowflake' %}
    {{ return(materialization_table_snowflake()) }}
{% endmaterialization %}

{#- dbt's snapshot times have no time zone; Orgo's updated_at has one. -#}
{% macro snowflake__snapshot_get_time() -%} {{ current_moment() if orgo_insights.is_own(model) else dbt_snowflake.snowflake__snapshot_get_time() }} {%- endmacro %}

{#- dbt calls this for the values of unit tests. They have arrays as PostgreSQL writes them, {a,"b,c"}, and infinity. -#}
{% macro snowflake__safe_cast(field, type) -%}
    {%- set kind = type | upper -%}
    {%- if field == 'null' -%} cast(null as {{ type }})
    {%- elif kind == 'VARIANT' and (field | string).startswith("'{") and not '":' in field -%}
    {{ array_of(array_elements(field)) }}
    {%- elif kind == 'VARIANT' -%} parse_json({{ field }})
    {%- elif kind.startswith('TIMESTAMP') and 'infinity' in field -%} {{ moment_of(field[1:-1]) }}
    {%- elif kind == 'DATE' and 'infinity' in field -%} {{ last_day() if field == "'infinity'" else "cast('0001-01-01' as date)" }}
    {%- else -%} cast({{ field }} as {{ type }})
    {%- endif -%}
{%- endmacro %}

{#- The elements of an array as PostgreSQL writes it, as literals of SQL. -#}
{% macro array_elements(literal) -%}
    {%- set elements = [] -%}
    {%- for quoted, plain in modules.re.findall('"((?:[^"\\\\]|\\\\.)*)"|([^{},"]+)', literal[1:-1]) -%}
        {%- do elements.append("'" ~ (plain or modules.re.sub('\\\\(.)', '\\1', quoted)) ~ "'") -%}
    {%- endfor -%}
    {{- return(elements) -}}
{%- endmacro %}
