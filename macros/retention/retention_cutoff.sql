{#- A value of a per-environment variable; `offline` takes prod's unless it has its own (decision D1). -#}
{% macro per_environment(name) -%}
    {%- set values = var(name) -%}
    {{- return(values.get(target.name, values['prod'])) -}}
{%- endmacro %}

{#- The first event date that raw retention keeps (specification 2.1, decision D8). The highest cutoff ever used wins, so
    neither an older as_of nor a longer retention brings a purged row back. -#}
{% macro retention_cutoff(horizon) -%}
    greatest(
        {{ horizon }} - {{ per_environment('raw_event_retention_days') }},
        (select max(cutoff) from {{ source('insights_ops', 'load_log') }})
    )
{%- endmacro %}
