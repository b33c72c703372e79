{#- How dbt makes and changes tables in BigQuery. -#}

{#- Incremental marts are partitioned by the month of the day that their rows are of, and clustered by organization. A day for each partition would
    be more partitions than one statement may write (4,000), and a few rows in each. -#}
{% macro layout_of(node) %}
    {% set is_mart = node.config.materialized == 'incremental' and is_own(node) %}
    {% set days = node.columns.values() | selectattr('data_type', 'equalto', 'date') | map(attribute='name') | list %}
    {% set wanted = ['created_date_key', 'opened_date_key', 'started_date_key', 'review_date', 'day', 'month'] %}
    {{ return({
        'day': wanted | select('in', days) | first if is_mart else none,
        'cluster': ['organization_id'] if is_mart and 'organization_id' in node.columns else [],
    }) }}
{% endmacro %}

{#- dbt calls this for a table, and for the rows of a load, which BigQuery drops after some hours. -#}
{% macro bigquery__create_table_as(temporary, relation, compiled_code, language='sql') -%}
    {%- set layout = layout_of(model) if not temporary else {} -%}
    create or replace table {{ relation }}
    {%- if config.get('contract').enforced %}
    {{ get_assert_columns_equivalent(compiled_code) }}
    {{ get_table_columns_and_constraints() }}
    {%- endif %}
    {%- if layout.day %}
    partition by date_trunc({{ layout.day }}, month)
    {%- endif %}
    {%- if layout.cluster %}
    cluster by {{ layout.cluster | join(', ') }}
    {%- endif %}
    {{ bigquery_table_options(config, model, temporary) }}
    as (
        {{ get_select_subquery(compiled_code) if config.get('contract').enforced else compiled_code }}
    )
{%- endmacro %}

{#- A view of BigQuery's own may not have this query: a table that each load makes again has the same rows. -#}
{% materialization materialized_view, adapter='bigquery' %}
    {{ return(materialization_table_bigquery()) }}
{% endmaterialization %}

{#- dbt asks for the strategy of an incremental model. BigQuery's adapter knows merge only; append and review are ours. -#}
{% macro dbt_bigquery_validate_get_incremental_strategy(config) %}{{ return(config.get('incremental_strategy') or 'merge') }}{% endmacro %}

{#- dbt asks for the statements of an incremental model. The rows of the load are in `tmp_relation` if it exists, else they are those of `sql`. -#}
{% macro bq_generate_incremental_build_sql(
    strategy, tmp_relation, target_relation, sql, unique_key, partition_by, partitions, dest_columns, tmp_relation_exists, copy_partitions, incremental_predicates
) %}
    {%- set found = 'select * from ' ~ tmp_relation if tmp_relation_exists else sql -%}
    {%- set names = dest_columns | map(attribute='name') | join(', ') -%}
    {%- if strategy == 'append' -%}
    insert into {{ target_relation }} ({{ names }}) select {{ names }} from ({{ found }}) as found
    {%- elif strategy == 'review' -%}
    {{ get_incremental_review_sql({'target_relation': target_relation, 'temp_relation': tmp_relation, 'dest_columns': dest_columns}) }}
    {%- else -%}
    {{ get_merge_sql(target_relation, '(' ~ found ~ ')', unique_key, dest_columns, incremental_predicates or []) }}
    {%- endif -%}
{% endmacro %}

{#- dbt calls this for a seed. Its interface takes types of BigQuery only. -#}
{% macro bigquery__load_csv_rows(model, agate_table) %}
    {%- set types = {} -%}
    {%- for name, data_type in model.config.get('column_types', {}).items() %}{% do types.update({name: type_of(data_type)}) %}{% endfor -%}
    {{ adapter.load_dataframe(model.database, model.schema, model.alias, agate_table, types, model.config.delimiter) }}
    {% call statement() %}
    alter table {{ this.render() }} set {{ bigquery_table_options(config, model) }}
    {% endcall %}
{% endmacro %}

{#- dbt calls this for the values of unit tests. They have arrays as PostgreSQL writes them, {a,"b,c"}, and infinity. -#}
{% macro bigquery__safe_cast(field, type) -%}
    {%- set kind = type | lower -%}
    {%- if field == 'null' -%} cast(null as {{ type_of(type) }})
    {%- elif kind.startswith('array') -%} {{ array_of(literals_of_array(field)) }}
    {%- elif kind == 'json' -%} parse_json({{ field }})
    {%- elif kind == 'timestamp' and 'infinity' in field -%} {{ moment_of(field[1:-1]) }}
    {%- elif kind == 'date' and 'infinity' in field -%} {{ last_day() if field == "'infinity'" else "date '0001-01-01'" }}
    {%- else -%} cast({{ field }} as {{ type_of(type) }})
    {%- endif -%}
{%- endmacro %}

{#- The elements of an array as PostgreSQL writes it, as literals of SQL. -#}
{% macro literals_of_array(literal) -%}
    {%- set elements = [] -%}
    {%- for quoted, plain in modules.re.findall('"((?:[^"\\\\]|\\\\.)*)"|([^{},"]+)', literal[1:-1]) -%}
        {%- do elements.append(sql_text(plain or modules.re.sub('\\\\(.)', '\\1', quoted))) -%}
    {%- endfor -%}
    {{- return(elements) -}}
{%- endmacro %}
