{#- The parts of `<BASE>.<CATEGORY><SUBCATEGORY>[.<HORIZONTAL_ROLE>]` (source contract, section 3) as columns. The parts
    of a label that does not parse are NULL. The relation needs the columns label (trimmed) and is_label_valid. -#}
{% macro label_parts() -%}
    case when is_label_valid then cast({{ segment('label', 1) }} as integer) end as label_base,
    case when is_label_valid then cast(left({{ segment('label', 2) }}, 1) as integer) end as label_category,
    case when is_label_valid then cast(right({{ segment('label', 2) }}, 1) as integer) end as label_subcategory,
    case
        when is_label_valid
            then nullif(substr(label, length({{ segment('label', 1) }}) + length({{ segment('label', 2) }}) + 3), '')
    end as label_role
{%- endmacro %}

{% macro label_is_valid(label) -%}
    {{ matches(label, "'^(" ~ label_bases() | join('|') ~ ")[.][1-9][1-5]([.][^.]*[^. ][^.]*)*$'") }}
{%- endmacro %}
{#- Every base of seeds/label_bases.csv, as a list. -#}
{% macro label_bases() -%}
    {{- return(reference_rows('label_bases', 'base') | map(attribute='base') | list) -}}
{%- endmacro %}

{#- The bases of broadcast labels, which inform: they create no tasks and do not count as a department. -#}
{% macro broadcast_bases() -%}
    {{- return(reference_rows('label_bases', 'base') | selectattr('is_broadcast') | map(attribute='base') | list) -}}
{%- endmacro %}
