{#- The number of the writer lock that `insights build`, or another command that writes, holds for this run; '' in a plain dbt, which holds none. -#}
{% macro claim_number() -%}
    {{- return(env_var('INSIGHTS_CLAIM', '') if execute else '') -}}
{%- endmacro %}

{#- pre-hook of everything that writes: the transaction proves that its process is still the one writer, and no other can become it before
    the transaction ends (decision D148). -#}
{% macro prove_claim() -%}
    {%- if claim_number() -%} select {{ target.schema }}_ops.prove_claim('writer', {{ claim_number() }}) {%- endif -%}
{%- endmacro %}
