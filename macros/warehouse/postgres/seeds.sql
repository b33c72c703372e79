{#- dbt empties and refills a seed on every build, and with --full-refresh drops it and every view over it. Here the table is
    kept and written only when a row differs from the CSV file; concurrent readers do not wait and see the previous rows. -#}
{% materialization seed, adapter='postgres' %}
    {% if not orgo_insights.is_own(model) %}{{ return(dbt.materialization_seed_default()) }}{% endif %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set rows = load_agate_table() -%}
    {%- set columns = rows.column_names | join(', ') -%}
    {%- do store_result('agate_table', response='OK', agate_table=rows) -%}{#- for `dbt seed --show` -#}
    {% if existing is not none and not existing.is_table %}
        {{ exceptions.raise_compiler_error(existing ~ " is not a table, but a seed of this project needs its name. Rename or drop it.") }}
    {% endif %}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% call statement('prepare') %}
        create temporary table seed_rows ({{ seed_column_definitions(rows) | join(', ') }}) on commit drop;
        create table if not exists {{ target_relation }} (like seed_rows);
    {% endcall %}
    {% do align_seed_columns(target_relation, rows) %}
    {% do identify_rows(target_relation) %}
    {% do insert_seed_rows(rows) %}
    {% call statement('clear') %}
        delete from {{ target_relation }}
        where exists (
            (
                select {{ columns }} from seed_rows
                except all
                select {{ columns }} from {{ target_relation }}
            )
            union all
            (
                select {{ columns }} from {{ target_relation }}
                except all
                select {{ columns }} from seed_rows
            )
        )
    {% endcall %}
    {% call statement('main') %}
        insert into {{ target_relation }} ({{ columns }})
        select {{ columns }} from seed_rows
        where not exists (select 1 from {{ target_relation }})
    {% endcall %}
    {% if load_result('main').response.rows_affected %}{% do run_query('analyze ' ~ target_relation) %}{% endif %}
    {% do persist_docs(target_relation, model) %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{#- The columns of a CSV file with the types from column_types, since types inferred from the rows could change with them. -#}
{% macro seed_column_definitions(rows) %}
    {% set definitions = [] %}
    {% for name in rows.column_names %}
        {% if name not in config.get('column_types', {}) %}
            {{ exceptions.raise_compiler_error("column_types of the seed " ~ model.name ~ " lacks the column " ~ name) }}
        {% endif %}
        {% do definitions.append(name ~ ' ' ~ config.get('column_types')[name]) %}
    {% endfor %}
    {{ return(definitions) }}
{% endmacro %}

{#- Adds and drops columns so that a table matches its CSV file. A column that a view reads stays. -#}
{% macro align_seed_columns(relation, rows) %}
    {% set stored = get_columns_in_relation(relation) | map(attribute='name') | list %}
    {% if stored | sort != rows.column_names | sort %}{% do lock_briefly(relation) %}{% endif %}
    {% for name in rows.column_names if name not in stored %}
        {% do run_query('alter table ' ~ relation ~ ' add column ' ~ name ~ ' ' ~ config.get('column_types')[name]) %}
    {% endfor %}
    {% for name in stored if name not in rows.column_names %}
        {% if not run_query(readers_of(relation, name)).rows %}
            {% do run_query('alter table ' ~ relation ~ ' drop column ' ~ adapter.quote(name)) %}
        {% endif %}
    {% endfor %}
{% endmacro %}

{#- Inserts the rows of a CSV file into seed_rows. -#}
{% macro insert_seed_rows(rows) %}
    {% set tuple = '(' ~ (['%s'] * (rows.column_names | length)) | join(', ') ~ ')' %}
    {% set values = [] %}
    {% for row in rows.rows %}{% do values.extend(row) %}{% endfor %}
    {% if values %}
        {% set insert = 'insert into seed_rows values ' ~ ([tuple] * (rows.rows | length)) | join(', ') %}
        {% do adapter.add_query(insert, bindings=values, abridge_sql_log=True) %}
    {% endif %}
{% endmacro %}
