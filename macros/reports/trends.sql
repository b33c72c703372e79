{#- The days that the monthly trends cover, as of the newest load of the facts: `cutoff` is the first event date within raw retention,
    `first_day` the earliest day on which a recomputed month may begin, `until` the first day of the month that has not ended. -#}
{% macro trend_span() -%}
    select
        {{ utc_date('load.cutoff') }} as cutoff,
        {{ greatest_filled([utc_date('load.cutoff'), retention_cutoff(utc_date('load.horizon'), 'aggregated')]) }} as first_day,
        {{ first_of_month(utc_date('load.horizon')) }} as until
    from ({{ latest_load('fact_tasks') }}) as load
{%- endmacro %}

{#- The first day of the month of a date. -#}
{% macro first_of_month(day) -%}
    cast({{ start_of('month', 'cast(' ~ day ~ ' as timestamp)') }} as date)
{%- endmacro %}

{#- The columns that, with the month, form the grain of the monthly trends. -#}
{% macro trend_group() -%}
    {{- return(['organization_id', 'label_base', 'label_category', 'domain', 'location', 'severity', 'visibility']) -}}
{%- endmacro %}

{#- A hash of these columns of `relation`, by which a group's rows are found together. -#}
{% macro trend_group_hash(relation) -%}
    {%- set texts = [] -%}
    {%- for column in trend_group() %}{% do texts.append('cast(' ~ relation ~ '.' ~ column ~ ' as ' ~ type_of('text') ~ ')') %}{% endfor -%}
    {{ hash_of_texts(texts) }}
{%- endmacro %}

{#- The monthly trends that the previous load stored; '' if there are none or if this is a rebuild. A table from an older release gains
    the column opened_oldest_date only when the report is built, which is after this read. Unit tests override it. -#}
{% macro stored_trends() -%}
    {%- set stored = stored_mart('report_monthly_trends') -%}
    {%- if var('rebuild', false) or not if_stored(stored) -%}{{- return('') -}}{%- endif -%}
    {%- set columns = column_names(stored) -%}
    {%- if 'opened_oldest_date' in columns -%}{{- return(stored) -}}{%- endif -%}
    {{- return('(select *, cast(null as date) as opened_oldest_date from ' ~ stored ~ ')') -}}
{%- endmacro %}

{#- The id of a row of the monthly trends: a hash of its grain, of the columns of `relation`. -#}
{% macro trend_id(relation) -%}
    {%- set columns = [] -%}
    {%- for column in ['month'] + trend_group() %}{% do columns.append(relation ~ '.' ~ column) %}{% endfor -%}
    {{ md5_uuid(json_array_text(columns)) }}
{%- endmacro %}

{#- pre-hook: deletes the rows that a recomputed subject no longer has, in the transaction that writes the others. -#}
{% macro delete_vanished_trends() %}
    {% if is_incremental() %}
    {{ delete_matching(
        this, 'former', ref('int_monthly_trends'), 'vanished',
        'vanished.is_vanished and former.trend_id = vanished.trend_id and former.organization_id = vanished.organization_id'
    ) }}
    {% endif %}
{% endmacro %}
