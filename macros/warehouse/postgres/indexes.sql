{#- dbt calls this for every table that it makes, when it has its rows. The key of a model, its `unique_key`, is the table's primary key when
    its columns are declared as never NULL, else a unique index in which NULLs are equal. The other indexes are those of the model's `indexes`;
    a `unique` constraint of a column would be there before the rows, and would cost more. -#}
{% macro postgres__create_indexes(relation) %}
    {%- if not orgo_insights.is_own(model) -%}{{ return(default__create_indexes(relation)) }}{%- endif -%}
    {%- set key = key_statement(relation, model) -%}
    {%- if key %}{% do run_query(key) %}{% endif -%}
    {%- do identify_rows(relation) -%}
    {{- default__create_indexes(relation) -}}
{% endmacro %}

{#- The key of a model in the order of its index. Where it is an organization and an id, the id comes first: a load looks for rows of ids that
    moved to another organization, and compares ids with those of the source (decision D198). -#}
{% macro indexed_key(node) -%}
    {%- set key = key_of_node(node) -%}
    {{- return(key | reverse | list if key | length == 2 and key[0] == 'organization_id' and key[1].endswith('_id') else key) -}}
{%- endmacro %}

{#- The statement that makes the key of a model's relation; none for a model without one, and for a seed. -#}
{% macro key_statement(relation, node) %}
    {%- set key = indexed_key(node) if node.resource_type == 'model' else [] -%}
    {%- if key and key | reject('in', filled_columns(node)) | list -%}
        {{- return('create unique index on ' ~ relation ~ ' (' ~ key | join(', ') ~ ') nulls not distinct') -}}
    {%- elif key -%}
        {{- return('alter table ' ~ relation ~ ' add primary key (' ~ key | join(', ') ~ ')') -}}
    {%- endif -%}
    {{- return(none) -}}
{% endmacro %}

{#- The names of the columns of a model that are declared as never NULL. -#}
{% macro filled_columns(node) %}
    {% set filled = [] %}
    {% for column in node.columns.values() if column.constraints | selectattr('type', 'equalto', 'not_null') | list %}
        {% do filled.append(column.name) %}
    {% endfor %}
    {{ return(filled) }}
{% endmacro %}

{#- A table without a primary key identifies its rows by all columns, or a publication that someone adds it to would refuse every load.
    A load does not wait for this: if another session reads the table, the next load tries again. -#}
{% macro identify_rows(relation) %}
    {% set query %}
        select relreplident = 'd' and not exists (select from pg_index where indrelid = pg_class.oid and indisprimary) as is_needed
        from pg_class
        where oid = {{ sql_text(relation) }}::regclass
    {% endset %}
    {% if run_query(query).rows[0]['is_needed'] %}
        {% set statement %}
            do $identity$
            begin
                lock table {{ relation }} in access exclusive mode nowait;
                alter table {{ relation }} replica identity full;
            exception when lock_not_available then
                null;
            end
            $identity$
        {% endset %}
        {% do run_query(statement) %}
    {% endif %}
{% endmacro %}

{#- Makes the `indexes` of a model that its stored table lacks. dbt makes them only together with the table. -#}
{% macro add_missing_indexes(relation) %}
    {% set query %}
        select string_agg(a.attname, ', ' order by k.place) as columns
        from pg_index as i
        cross join unnest(cast(i.indkey as smallint[])) with ordinality as k (number, place)
        inner join pg_attribute as a on i.indrelid = a.attrelid and k.number = a.attnum
        where i.indrelid = {{ sql_text(relation) }}::regclass
        group by i.indexrelid
    {% endset %}
    {% set stored = run_query(query).rows | map(attribute='columns') | list %}
    {% for index in config.get('indexes', []) if index.columns | join(', ') not in stored %}
        {% do run_query(get_create_index_sql(relation, index)) %}
    {% endfor %}
{% endmacro %}
