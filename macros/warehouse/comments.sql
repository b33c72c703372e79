{#- dbt calls this for everything that it makes. dbt's own macro reads the columns twice and writes every comment again. Here one query
    finds the comments that differ, so that a load writes none and takes no lock for one. -#}
{% macro postgres__persist_docs(relation, model, for_relation, for_columns) %}
    {%- if not orgo_insights.is_own(model) %}{{ return(default__persist_docs(relation, model, for_relation, for_columns)) }}{% endif -%}
    {%- set wanted = [] -%}
    {%- if for_relation and config.persist_relation_docs() and model.description -%}
        {%- do wanted.append('(null, ' ~ sql_text(model.description) ~ ')') -%}
    {%- endif -%}
    {%- for column in model.columns.values() if for_columns and config.persist_column_docs() -%}
        {%- do wanted.append('(' ~ sql_text(column.name) ~ ', ' ~ sql_text(column.description) ~ ')') -%}
    {%- endfor -%}
    {%- if not wanted %}{{ return('') }}{% endif -%}
    {%- set found = run_query(differing_comments(relation, wanted)).rows -%}
    {%- set comments = [] -%}
    {%- for row in found if row['is_there'] -%}
        {%- if row['column_name'] is none -%}
            {%- do comments.append(alter_relation_comment(relation, model.description)) -%}
        {%- else -%}
            {%- set comment = postgres_escape_comment(model.columns[row['column_name']].description) -%}
            {%- do comments.append('comment on column ' ~ relation ~ '.' ~ adapter.quote(row['column_name']) ~ ' is ' ~ comment ~ ';') -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if comments -%}
        {%- call statement('comments') %}{{ comments | join('\n') }}{% endcall -%}
    {%- endif -%}
    {%- set missing = found | rejectattr('is_there') | map(attribute='column_name') | join(', ') -%}
    {%- if missing -%}
        {%- do exceptions.warn("In relation " ~ relation ~ ": these columns are documented, but not in the database: " ~ missing) -%}
    {%- endif -%}
{% endmacro %}

{#- A query of the columns (NULL for the relation itself) that have another comment than wanted, and whether the relation has them. -#}
{% macro differing_comments(relation, wanted) %}
    select
        wanted.column_name,
        wanted.column_name is null or a.attnum is not null as is_there
    from (values {{ wanted | join(', ') }}) as wanted (column_name, description)
    left join pg_attribute as a
        on a.attrelid = {{ sql_text(relation) }}::regclass and wanted.column_name = a.attname and a.attnum > 0 and not a.attisdropped
    where
        case
            when wanted.column_name is null then obj_description({{ sql_text(relation) }}::regclass, 'pg_class')
            else col_description(a.attrelid, a.attnum)
        end is distinct from nullif(wanted.description, '')
{% endmacro %}
