{#- Whole seconds from one moment to a later one; NULL when the second is missing or lies before the first. -#}
{% macro seconds_between(start, finish) -%}
    case when {{ finish }} >= {{ start }} then cast(floor({{ elapsed_seconds(start, finish) }}) as bigint) end
{%- endmacro %}

{#- A condition that few rows meet, in a form from which the planner estimates few rows. For a comparison of two columns or of a
    function's result it would estimate a third of the rows or more and scan whole tables; for an equality it estimates one in 200. -#}
{% macro few(condition) -%}
    case when {{ condition }} then 1 else 0 end = 1
{%- endmacro %}

{#- Whether something happened since a moment: to few rows. The planner learns that from the second condition, and may look up the first one
    in an index on the moment (decision D301). -#}
{% macro happened_since(moment, since) -%}
    {{ moment }} >= {{ since }} and {{ few(moment ~ ' >= ' ~ since) }}
{%- endmacro %}

{#- A condition that most rows meet, such as the same organization of rows that are joined by id. The planner takes two equalities for
    independent and would estimate one row in as many as there are organizations; for a boolean CASE it estimates half. -#}
{% macro most(condition) -%}
    case when {{ condition }} then true else false end
{%- endmacro %}

{% macro utc_date(moment) -%}
    {{- return(adapter.dispatch('utc_date', 'orgo_insights')(moment)) -}}
{%- endmacro %}

{% macro utc_midnight(day) -%}
    {{- return(adapter.dispatch('utc_midnight', 'orgo_insights')(day)) -}}
{%- endmacro %}

{#- A binary number of seconds with one decimal. By six decimals first, because 0.05 is a little less than it should be as a binary fraction. -#}
{% macro tenths(seconds) -%}
    {{- return(adapter.dispatch('tenths', 'orgo_insights')(seconds)) -}}
{%- endmacro %}

{#- A text as a literal of SQL; a name may contain a quote. A load calls this thousands of times, and each call of a macro takes 0.05 ms: so
    it calls others only for what needs an escape (decision D213). -#}
{% macro sql_text(text) -%}
    {{- "'" ~ (escaped(text | string) if "'" in (text | string) or '\\' in (text | string) else text) ~ "'" -}}
{%- endmacro %}
