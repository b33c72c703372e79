{#- pre-hook: a rerun of a review replaces exactly its own rows (decision D7), in the transaction that writes the new ones. -#}
{% macro delete_review(cadence) %}
    {% if is_incremental() %}
    delete from {{ this }} where review_date = date '{{ review_date(cadence) }}'
    {% endif %}
{% endmacro %}

{#- Whether the pattern did not fire at the previous review date. -#}
{% macro is_new_pattern(cadence) -%}
    {%- if is_incremental() -%}
    not exists (
        select 1
        from {{ this }} as earlier
        where earlier.review_date = {{ previous_review_date(cadence) }} and earlier.pattern_id = reviewed.pattern_id
    )
    {%- else -%}
    true
    {%- endif -%}
{%- endmacro %}
