{#- A text in upper case, independent of the database's locale: in a Turkish one, i is not the lower case of I. Tokens are ASCII, so other
    letters stay. The result has the collation of the database again, so that it can be compared with any column. -#}
{% macro upper_case(text) -%}
    upper(({{ text }}) collate "C") collate "default"
{%- endmacro %}

{#- A text in lower case, like upper_case. -#}
{% macro lower_case(text) -%}
    lower(({{ text }}) collate "C") collate "default"
{%- endmacro %}
