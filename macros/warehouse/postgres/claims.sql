{#- pre-hook of everything that writes: the transaction proves that its process is still the one writer, and no other can become it before
    the transaction ends (decision D148). -#}
{% macro postgres__prove_claim() -%}
    {%- if claim_number() -%} select {{ target.schema }}_ops.prove_claim('writer', {{ claim_number() }}) {%- endif -%}
{%- endmacro %}
