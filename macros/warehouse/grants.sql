{#- post-hook of every mart: the read-only role may select every column that `meta.pii` does not withhold. A `key`, the id
    of a person, is readable here and masked in exports; `none` only looks personal. Logins of single
    organizations may read the same columns, restricted to the rows of their organization (decision D152). The hook runs in the
    transaction that writes the table, so readers never see a table without its grants. -#}
{% macro grant_without_pii() %}
    {% set readable = [] %}
    {% for column in model.columns.values() if column.config.meta.get('pii', 'none') in ['key', 'none'] %}
        {% do readable.append(adapter.quote(column.name)) %}
    {% endfor %}
    revoke all on {{ this }} from {{ var('read_only_user') }};
    grant select ({{ readable | join(', ') }}) on {{ this }} to {{ var('read_only_user') }};
    {% set shared = (config.get('meta') or {}).get('shared') -%}
    select {{ target.schema }}_ops.restrict_rows({{ sql_text(this) }}, {{ sql_text(shared) if shared else 'null' }})
{% endmacro %}
