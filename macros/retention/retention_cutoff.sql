{#- A value of a per-environment variable; `offline` takes prod's unless it has its own (decision D1). -#}
{% macro per_environment(name) -%}
    {%- set values = var(name) -%}
    {{- return(values.get(target.name, values['prod'])) -}}
{%- endmacro %}

{#- The earliest event date that a retention class keeps (specification 2.1, decision D8), by the same rule as `insights purge`: the
    latest cutoff ever used applies, so neither an older as_of nor a longer retention brings a purged row back. -#}
{% macro retention_cutoff(horizon, retention_class='raw_event') -%}
    {%- set days = {
        'raw_event': per_environment('raw_event_retention_days'),
        'aggregated': per_environment('aggregated_retention_days'),
        'pattern_result': per_environment('pattern_result_retention_days'),
    } -%}
    {{- return(adapter.dispatch('cutoff_of_class', 'orgo_insights')(retention_class, horizon, days[retention_class])) -}}
{%- endmacro %}

{#- The latest cutoff that a retention class was purged with; -infinity if it was never purged. Older rows are not loaded again. -#}
{% macro purge_cutoff(retention_class) -%}
    {{- return(adapter.dispatch('purge_cutoff', 'orgo_insights')(retention_class)) -}}
{%- endmacro %}

{#- A mart of the previous load whose rows this load still updates after they left retention, until a purge deletes them (decision
    D139); none before the first load and in a full refresh, which loads no row out of retention. -#}
{% macro stored_until_purged(name) -%}
    {{- return(none if flags.FULL_REFRESH else stored_or_none(name)) -}}
{%- endmacro %}
