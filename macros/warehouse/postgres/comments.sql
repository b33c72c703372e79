{#- dbt calls this for everything that it makes. dbt's own macro reads the columns twice and writes every comment again. Here one query
    finds the comments that differ, so that a load writes none and takes no lock for one. -#}
{% macro postgres__persist_docs(relation, model, for_relation, for_columns) %}
    {%- if not orgo_insights.is_own(model) %}{{ return(default__persist_docs(relation, model, for_relation, for_columns)) }}{% endif -%}
    {%- set comments_of_columns = orgo_insights.column_comments(model) -%}
    {%- set wanted = [] -%}
    {%- if for_relation and config.persist_relation_docs() and model.description -%}
        {%- do wanted.append('(null, ' ~ sql_text(model.description) ~ ')') -%}
    {%- endif -%}
    {%- for column in model.columns.values() if for_columns and config.persist_column_docs() -%}
        {%- do wanted.append('(' ~ sql_text(column.name) ~ ', ' ~ sql_text(comments_of_columns[column.name]) ~ ')') -%}
    {%- endfor -%}
    {%- if not wanted %}{{ return('') }}{% endif -%}
    {%- set found = run_query(differing_comments(relation, wanted)).rows -%}
    {%- set comments = [] -%}
    {%- for row in found if row['is_there'] -%}
        {%- if row['column_name'] is none -%}
            {%- do comments.append(alter_relation_comment(relation, model.description)) -%}
        {%- else -%}
            {%- set comment = postgres_escape_comment(comments_of_columns[row['column_name']]) -%}
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

{#- The comments of the columns of a model by name: the description, and the column that a `refers_to` test says it refers to.
    PostgreSQL has no foreign keys that it does not enforce, and facts arrive before their dimensions (decision D10), so this is where a
    reader of the catalog finds the joins (decision D205). -#}
{% macro column_comments(model) -%}
    {%- set comments = {} -%}
    {%- for column in model.columns.values() %}{% do comments.update({column.name: column.description}) %}{% endfor -%}
    {%- for test in graph.nodes.values()
        if test.resource_type == 'test' and test.attached_node == model.unique_id
        and test.test_metadata and test.test_metadata.name == 'refers_to' -%}
        {%- for reference in test.test_metadata.kwargs.references if comments.get(reference.column) -%}
            {%- set to = reference.to.split("'")[1] -%}
            {%- do comments.update({
                reference.column: comments[reference.column] ~ ' Refers to ' ~ to ~ '.' ~ reference.field ~ '.'
            }) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{- return(comments) -}}
{%- endmacro %}

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
