{#- Rows of a seed of reference data, as constants for the SQL that is being compiled. A model that calls this depends on the seed,
    which is therefore written first.

    Constants and no subquery: the planner knows how often a constant occurs, a view over an operational table keeps its plain
    filters, and the unit tests of a model need no rows of the seed (decision D126). -#}
{% macro reference_rows(seed, columns, condition='true', order_by='1') %}
    {% if not execute %}
        {% if model.resource_type == 'model' %}{% do ref(seed) %}{% endif %}
        {{ return([]) }}
    {% endif %}
    {% if not adapter.get_relation(target.database, target.schema, seed) %}
        {{ exceptions.raise_compiler_error("The reference data " ~ seed ~ " is not in the database. Run first: insights build, or dbt seed") }}
    {% endif %}
    {% set query %}
        select {{ columns | join(', ') }} from {{ reference_table(seed) }} where {{ condition }} order by {{ order_by }}
    {% endset %}
    {{ return(run_query(query).rows) }}
{% endmacro %}

{#- A seed by its name in the database: a test depends on the model that it looks at, and a unit test on its own rows alone. -#}
{% macro reference_table(seed) -%}
    {{- adapter.quote(target.schema) }}.{{ adapter.quote(seed) -}}
{%- endmacro %}

{#- The tokens of an enum by rank; with `condition`, those for which it holds. -#}
{% macro tokens_of(enum, condition='true') %}
    {% set rows = reference_rows('tokens', ['token'], "enum = '" ~ enum ~ "' and " ~ condition, 'rank') %}
    {% if execute and not rows %}
        {{ exceptions.raise_compiler_error("seeds/tokens.csv has no token of the enum " ~ enum) }}
    {% endif %}
    {{ return(rows | map(attribute='token') | list) }}
{% endmacro %}
