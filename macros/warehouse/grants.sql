{#- post-hook of every mart: the read-only role may select every column that is not designated PII (`meta.pii`). It runs in
    the transaction that swaps the table, so a reader never meets one without its grants. -#}
{% macro grant_without_pii() %}
    {% set readable = [] %}
    {% for column in model.columns.values() if not column.config.meta.get('pii') %}
        {% do readable.append(adapter.quote(column.name)) %}
    {% endfor %}
    revoke all on {{ this }} from {{ var('read_only_user') }};
    grant select ({{ readable | join(', ') }}) on {{ this }} to {{ var('read_only_user') }}
{% endmacro %}
