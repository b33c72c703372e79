{#- Rows of a reference data seed, as constants for the SQL that is being compiled. A model that calls this depends on the seed, so the
    seed is written first.

    Constants rather than a subquery: the planner knows how often a constant occurs, a view over an operational table keeps its plain
    filters, and the unit tests of a model need no rows of the seed (decision D126).

    A seed is read once per run for all models: with one query for each of 130 lists, compiling took four seconds longer. -#}
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
        {% do graph.update({key: fetched('select * from ' ~ reference_table(seed) ~ ' order by ' ~ order_by).rows}) %}
    {% endif %}
    {{ return(graph[key]) }}
{% endmacro %}

{#- A seed by its name in the database, not by ref: a data test should depend only on the model it checks, and a unit test on its rows. -#}
{% macro reference_table(seed) -%}
    {{- api.Relation.create(schema=target.schema, identifier=seed) -}}
{%- endmacro %}

{#- The rows of an enum in seeds/tokens.csv, by rank. -#}
{% macro tokens_of(enum) %}
    {% set rows = reference_rows('tokens', 'enum, rank') | selectattr('enum', 'equalto', enum) | list %}
    {% if execute and not rows %}
        {{ exceptions.raise_compiler_error("seeds/tokens.csv has no token of the enum " ~ enum) }}
    {% endif %}
    {{ return(rows) }}
{% endmacro %}
