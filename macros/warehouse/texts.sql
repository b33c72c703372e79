{#- Texts and tokens, which engines write differently. -#}

{#- The greatest of some values that are not NULL. -#}
{% macro greatest_filled(values) %}{{ return(adapter.dispatch('greatest_filled', 'orgo_insights')(values)) }}{% endmacro %}

{#- The least of some values that are not NULL. -#}
{% macro least_filled(values) %}{{ return(adapter.dispatch('least_filled', 'orgo_insights')(values)) }}{% endmacro %}

{#- The MD5 of a text as an id. -#}
{% macro md5_uuid(text) %}{{ return(adapter.dispatch('md5_uuid', 'orgo_insights')(text)) }}{% endmacro %}

{#- The rank of a token of an enum; NULL for any other text. -#}
{% macro rank_of_token(enum, token) %}{{ return(adapter.dispatch('rank_of_token', 'orgo_insights')(enum, token)) }}{% endmacro %}

{#- A text of segments of letters and digits between points: without other characters, and without segments that are empty then. -#}
{% macro segments(text) %}{{ return(adapter.dispatch('segments', 'orgo_insights')(text)) }}{% endmacro %}

{#- The token of an enum that has a rank. -#}
{% macro token_of_rank(enum, rank) %}{{ return(adapter.dispatch('token_of_rank', 'orgo_insights')(enum, rank)) }}{% endmacro %}

{#- A text without spaces at its ends. -#}
{% macro trimmed(text) %}{{ return(adapter.dispatch('trimmed', 'orgo_insights')(text)) }}{% endmacro %}

{#- A text between the quotes of a literal of SQL. -#}
{% macro escaped(text) %}{{ return(adapter.dispatch('escaped', 'orgo_insights')(text)) }}{% endmacro %}

{#- The MD5 of a text in hexadecimal digits. -#}
{% macro md5_text(text) %}{{ return(adapter.dispatch('md5_text', 'orgo_insights')(text)) }}{% endmacro %}

{#- A part of a text between points, by its place from 1 on; '' if there are fewer. -#}
{% macro segment(text, place) %}{{ return(adapter.dispatch('segment', 'orgo_insights')(text, place)) }}{% endmacro %}
