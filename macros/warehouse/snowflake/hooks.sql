{#- Side effects of a load in Snowflake. Nothing is needed of statistics, indexes and locks; who reads is decided by roles of the database. -#}

{#- post-hook of every mart: rows of one organization stay together when the table is made. -#}
{% macro snowflake__name_indexes() %}
    {% if execute and config.get('materialized') == 'incremental' and not is_incremental() and 'organization_id' in model.columns %}
    alter table {{ this }} cluster by (organization_id)
    {% endif %}
{% endmacro %}

{#- pre-hook of everything that writes: an error unless this process still has the lease of the writer (decision D295). The message is that
    of a text which is no number. -#}
{% macro snowflake__prove_claim() -%}
    {%- set lease = env_var('INSIGHTS_LEASE', '') if execute else '' -%}
    {%- if lease -%}
    select
        cast(coalesce(
            max(case when lease_number = {{ lease }} and expires_at > current_timestamp() then '1' end),
            'the lease of the writer has expired, or another process has it: run insights build again'
        ) as integer) as is_alone
    from {{ target.schema }}_ops.leases
    where lease_name = 'writer'
    {%- endif -%}
{%- endmacro %}

{#- A view of Snowflake's own may not join: a table that each load makes again has the same rows. -#}
{% materialization materialized_view, adapter='snowflake' %}
    {{ return(materialization_table_snowflake()) }}
{% endmaterialization %}

{#- dbt's snapshot times have no time zone; Orgo's updated_at has one. -#}
{% macro snowflake__snapshot_get_time() -%} {{ current_moment() if orgo_insights.is_own(model) else dbt_snowflake.snowflake__snapshot_get_time() }} {%- endmacro %}

{#- dbt calls this for the values of unit tests. They have arrays as PostgreSQL writes them, {a,"b,c"}, and infinity; dbt has put a backslash
    before each quote. -#}
{% macro snowflake__safe_cast(field, type) -%}
    {%- set kind, is_text = type | upper, (field | string).startswith("'") -%}
    {%- set text = field[1:-1].replace("\\'", "'") if is_text else '' -%}
    {%- if kind == 'VARIANT' and text.startswith('{') and not '":' in text -%} {{ array_of(array_elements(text)) }}
    {%- elif kind == 'VARIANT' and is_text -%} parse_json({{ text_literal(text) }})
    {%- elif kind.startswith('TIMESTAMP') and 'infinity' in text -%} {{ moment_of(text) }}
    {%- elif kind == 'DATE' and 'infinity' in text -%} {{ last_day() if text == 'infinity' else "cast('0001-01-01' as date)" }}
    {%- else -%} cast({{ text_literal(text) if is_text else field }} as {{ type }})
    {%- endif -%}
{%- endmacro %}

{#- A text as a literal of SQL, in which Snowflake takes a backslash for the beginning of an escape sequence. -#}
{% macro text_literal(text) -%} {{ "'" ~ text.replace('\\', '\\\\').replace("'", "''") ~ "'" }} {%- endmacro %}

{#- The elements of an array as PostgreSQL writes it, as literals of SQL. -#}
{% macro array_elements(text) -%}
    {%- set elements = [] -%}
    {%- for quoted, plain in modules.re.findall('"((?:[^"\\\\]|\\\\.)*)"|([^{},"]+)', text) -%}
        {%- do elements.append(text_literal(plain or modules.re.sub('\\\\(.)', '\\1', quoted))) -%}
    {%- endfor -%}
    {{- return(elements) -}}
{%- endmacro %}
