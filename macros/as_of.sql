{#- The only clock of a run: an exclusive UTC date. Whatever happened before as_of 00:00 UTC counts. It is the variable `as_of`, else
    INSIGHTS_AS_OF, else today. `insights` sets the latter, which dbt reads when it runs: after a change of a variable, or of anything
    that it read while parsing, it would parse the whole project again. -#}
{% macro as_of() -%}
    {%- set given = var('as_of', none) or (execute and env_var('INSIGHTS_AS_OF', '')) or run_started_at.strftime('%Y-%m-%d') -%}
    {%- set parts = (given | string).split('-') | map('int') | list -%}
    {%- set is_shaped = modules.re.match('^[12][0-9]{3}-(0[1-9]|1[0-2])-[0-9]{2}$', given | string) -%}
    {%- set next_month = modules.datetime.date(parts[0] + parts[1] // 12, parts[1] % 12 + 1, 1) if is_shaped -%}
    {%- set last_day = (next_month - modules.datetime.timedelta(days=1)).day if is_shaped else 0 -%}
    {%- if not is_shaped or parts[2] not in range(1, last_day + 1) -%}
        {{ exceptions.raise_compiler_error("as_of is '" ~ given ~ "'; it must be a date like 2026-01-31.") }}
    {%- endif -%}
    {{- return(given | string) -}}
{%- endmacro %}
