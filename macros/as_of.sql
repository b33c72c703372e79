{#- The one clock of the project: a UTC date, exclusive. What happened before as_of 00:00 UTC counts. -#}
{% macro as_of() -%}
    {%- set asked = var('as_of', none) or run_started_at.strftime('%Y-%m-%d') -%}
    {%- if not modules.re.match('^[0-9]{4}-[0-9]{2}-[0-9]{2}$', asked | string) -%}
        {{ exceptions.raise_compiler_error("The variable as_of is '" ~ asked ~ "'; it must be a date like 2026-01-31.") }}
    {%- endif -%}
    {{- return(asked | string) -}}
{%- endmacro %}
