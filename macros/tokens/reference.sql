{#- Rows of a seed of reference data, as constants for the SQL that is being compiled. A model that calls this depends on the seed,
    which is therefore written first.

    Constants and no subquery: the planner knows how often a constant occurs, a view over an operational table keeps its plain
    filters, and the unit tests of a model need no rows of the seed (decision D126).

    A seed is read once in a run, for all models: with a query for each of 130 lists, compiling took four seconds more. -#}
{% macro reference_rows(seed, order_by) %}
    {% if not execute %}
        {% if model.resource_type == 'model' %}{% do ref(seed) %}{% endif %}
        {{ return([]) }}
    {% endif %}
    {% set key = 'rows of ' ~ seed ~ ' in run ' ~ invocation_id %}
    {% if key not in graph %}
        {% if not adapter.get_relation(target.database, target.schema, seed) %}
            {{ exceptions.raise_compiler_error(
                "The reference data " ~ seed ~ " is not in the database. Run first: insights build, or dbt seed"
            ) }}
        {% endif %}
        {% do graph.update({key: run_query('select * from ' ~ reference_table(seed) ~ ' order by ' ~ order_by).rows}) %}
    {% endif %}
    {{ return(graph[key]) }}
{% endmacro %}

{#- A seed by its name in the database: a test depends on the model that it looks at, and a unit test on its own rows alone. -#}
{% macro reference_table(seed) -%}
    {{- adapter.quote(target.schema) }}.{{ adapter.quote(seed) -}}
{%- endmacro %}

{#- The rows of the tokens of an enum by rank. -#}
{% macro tokens_of(enum) %}
    {% set rows = reference_rows('tokens', 'enum, rank') | selectattr('enum', 'equalto', enum) | list %}
    {% if execute and not rows %}
        {{ exceptions.raise_compiler_error("seeds/tokens.csv has no token of the enum " ~ enum) }}
    {% endif %}
    {{ return(rows) }}
{% endmacro %}
