{#- post-hook of every mart: the read-only role may select every column that `meta.pii` does not withhold. `key`, the id of a
    person, is masked when it leaves in an export and readable here; `none` only looks personal. It runs in the transaction that
    swaps the table, so a reader never meets one without its grants. -#}
{% macro grant_without_pii() %}
    {% set readable = [] %}
    {% for column in model.columns.values() if column.config.meta.get('pii', 'none') in ['key', 'none'] %}
        {% do readable.append(adapter.quote(column.name)) %}
    {% endfor %}
    revoke all on {{ this }} from {{ var('read_only_user') }};
    grant select ({{ readable | join(', ') }}) on {{ this }} to {{ var('read_only_user') }}
{% endmacro %}
