{#- What `insights publish` needs to know of the relations that it copies to the serving database, as JSON: each has there the columns, keys,
    indexes, comments and rights that a load gives it in a warehouse, by the same macros (decision D264). What is a view or a materialized
    view in a warehouse is a table there. -#}
{% macro serving_definitions(names) %}
    {%- if not execute %}{{ return('') }}{% endif -%}
    {%- set found = [] -%}
    {%- for node in graph.nodes.values() if orgo_insights.is_own(node) and node.resource_type in ('model', 'seed') and node.name in names -%}
        {%- do found.append(serving_definition(node)) -%}
    {%- endfor -%}
    {{- return(tojson(found)) -}}
{% endmacro %}

{#- The same of one node of the graph. `made` is a temporary table with the new rows; `changes` and `index_names` are queries of statements. -#}
{% macro serving_definition(node) %}
    {%- set stored = api.Relation.create(schema=node.schema, identifier=node.alias, type='table') -%}
    {%- set made = api.Relation.create(schema='pg_temp', identifier=node.alias, type='table') -%}
    {%- set comments = column_comments(node) -%}
    {%- set columns, declared, described = [], [], [{'column': none, 'text': node.description}] -%}
    {%- for column in node.columns.values() -%}
        {%- do columns.append({'name': column.name, 'type': column.data_type}) -%}
        {%- do declared.append(adapter.render_raw_columns_constraints(raw_columns={column.name: column})[0]) -%}
        {%- do described.append({'column': column.name, 'text': comments[column.name]}) -%}
    {%- endfor -%}
    {%- set quoted = columns | map(attribute='name') | map('tojson') | list -%}
    {%- set is_mart = node.resource_type == 'seed' or node.schema in (target.schema, target.schema ~ '_personal') -%}
    {{- return({
        'name': node.name,
        'schema': node.schema,
        'identifier': node.alias,
        'columns': columns,
        'create': 'create table ' ~ stored ~ ' (' ~ declared | join(', ') ~ ')',
        'indexes': index_statements(stored, node),
        'make': 'create temporary table ' ~ made ~ ' (' ~ declared | join(', ') ~ ') on commit drop',
        'made_indexes': index_statements(made, node),
        'drop_made': 'drop table if exists ' ~ made,
        'lock': brief_lock(stored),
        'changes': changes_of_table(stored, made),
        'index_names': names_of_indexes(stored, node),
        'replacement': replacement_of_rows(stored, made, quoted, node) if key_of_node(node) else [],
        'comments': described,
        'rights': user_check(stored) if node.name == 'stg_user_accounts' else rights_of_mart(stored, node) if is_mart else rights_of_bookkeeping(stored, node),
    }) -}}
{% endmacro %}

{#- The statements that give a relation of a node its key and indexes, as a load does. A table without a primary key identifies its rows by
    all columns. -#}
{% macro index_statements(relation, node) %}
    {%- set key = key_statement(relation, node) if node.config.materialized in ('table', 'incremental') -%}
    {%- set statements = [key] if key else [] -%}
    {%- for index in node.config.get('indexes') or [] -%}
        {%- do statements.append('create ' ~ ('unique ' if index.unique else '') ~ 'index on ' ~ relation ~ ' (' ~ index.columns | join(', ') ~ ')') -%}
    {%- endfor -%}
    {%- if 'primary key' not in (key or '') -%}
        {%- do statements.append('alter table ' ~ relation ~ ' replica identity full') -%}
    {%- endif -%}
    {{- return(statements) -}}
{% endmacro %}
