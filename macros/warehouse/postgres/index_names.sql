{#- post-hook of every mart: gives the indexes that this project makes names that say what they are, pk_fact_tasks or
    ix_fact_tasks__organization_id_created_date_key. They are made on intermediate tables, beside indexes of the same names, so dbt and
    PostgreSQL choose other names at first. A load that finds the names as they should be asks the catalog once and locks nothing. -#}
{% macro postgres__name_indexes() %}
    {% if not execute %}{{ return('') }}{% endif %}
    {% set query = names_of_indexes(this, model) %}
    {{ return(run_query(query).rows | map(attribute='statement') | join('; ') if query else '') }}
{% endmacro %}

{#- A query of the statements that rename the indexes of a model's relation; none for a model without any. -#}
{% macro names_of_indexes(relation, node) %}
    {% set wanted = [] %}
    {% for index in wanted_indexes(node) %}
        {% do wanted.append('(' ~ sql_text(index.name) ~ ', ' ~ sql_text(index.columns | join(', ')) ~ ', ' ~ index.is_unique ~ ')') %}
    {% endfor %}
    {% if not wanted %}{{ return(none) }}{% endif %}
    {% set query %}
        with stored as (
            select
                i.indexrelid,
                i.indrelid,
                i.indisunique,
                c.relname,
                (
                    select string_agg(a.attname, ', ' order by k.place)
                    from unnest(cast(i.indkey as smallint[])) with ordinality as k (number, place)
                    inner join pg_attribute as a on i.indrelid = a.attrelid and k.number = a.attnum
                ) as columns
            from pg_index as i
            inner join pg_class as c on i.indexrelid = c.oid
            where i.indrelid = {{ sql_text(relation) }}::regclass
        )

        select distinct on (wanted.name)
            format('alter index %s rename to %I', cast(stored.indexrelid as regclass), wanted.name) as statement
        from (values {{ wanted | join(', ') }}) as wanted (name, columns, is_unique)
        inner join stored on wanted.columns = stored.columns and wanted.is_unique = stored.indisunique
        where not exists (select from stored as named where named.relname = wanted.name)
        order by wanted.name, stored.indexrelid
    {% endset %}
    {{ return(query) }}
{% endmacro %}

{#- The indexes of a model: name, columns and whether they are unique. A name of PostgreSQL has at most 63 bytes. -#}
{% macro wanted_indexes(node) %}
    {%- set key, table = indexed_key(node), node.alias -%}
    {%- set kind = 'uq' if key | reject('in', filled_columns(node)) | list else 'pk' -%}
    {%- set found = [] -%}
    {%- if key and node.config.materialized in ('table', 'incremental') -%}
        {%- do found.append({'name': kind ~ '_' ~ table, 'columns': key, 'is_unique': true}) -%}
    {%- endif -%}
    {%- for index in node.config.get('indexes') or [] -%}
        {%- set columns = index.columns | join('_') -%}
        {%- set name = ('uq_' if index.unique else 'ix_') ~ table ~ '__' ~ columns -%}
        {%- set short = name if name | length <= 63 else name[:54] ~ '_' ~ local_md5(name)[:8] -%}
        {%- do found.append({'name': short, 'columns': index.columns, 'is_unique': index.unique or false}) -%}
    {%- endfor -%}
    {{- return(found) -}}
{% endmacro %}
