{#- What earlier loads left behind that cases depend on: the stored reviews and the outbox. Read without ref, since both are built
    from the cases; none of them need exist yet. -#}

{#- One row per stored review that lists a case: case_id, cadence, review_date. `condition` narrows the rows of the reviews. Only
    reviews that a load of an earlier day made are known: two loads of one day find the same. -#}
{% macro stored_review_cases(condition='true') -%}
    {%- for cadence in review_cadences() -%}
        {%- set table = load_relation(api.Relation.create(target.database, target.schema, 'pattern_' ~ cadence)) if execute -%}
        {%- if table %}
    select
        '{{ cadence }}' as cadence,
        review_date,
        unnest(case_ids) as case_id
    from {{ table }}
    where
        {{ condition }}
        and review_date in ({{ made_reviews(cadence) }} and made.as_of < date '{{ as_of() }}')
    union
        {%- endif -%}
    {%- endfor %}
    select
        null as cadence,
        cast(null as date) as review_date,
        cast(null as uuid) as case_id
    where false
{%- endmacro %}

{#- The review dates of a cadence that any load made, as the load log tells: a query that may go on with `and made...`. -#}
{% macro made_reviews(cadence) -%}
    select cast(date_trunc('{{ review_cadences()[cadence] }}', cast(made.as_of as timestamp)) as date) as review_date
    from {{ source('insights_ops', 'load_log') }} as made
    where made.relation_name = 'pattern_{{ cadence }}'
{%- endmacro %}

{#- The ids of the cases that Insights asked for (decision D5), whatever became of their metadata. -#}
{% macro asked_case_ids() -%}
    {%- set schema = source('insights_ops', 'load_log').schema -%}
    {%- set outbox = load_relation(api.Relation.create(target.database, schema, 'review_requests')) if execute -%}
    {%- if outbox -%} select case_id from {{ outbox }}
    {%- else -%} select cast(null as uuid) as case_id where false
    {%- endif -%}
{%- endmacro %}
