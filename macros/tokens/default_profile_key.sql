{#- The profile of an organization that chose none, for domains without an override (decision D3, specification section 5). -#}
{% macro default_profile_key() -%}
    {{- env_var('INSIGHTS_DEFAULT_PROFILE_KEY', '') or var('default_profile_key') -}}
{%- endmacro %}
