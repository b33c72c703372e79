{#- Texts and tokens, which engines write differently. -#}

{#- The function that returns the greatest of its arguments that are not NULL. -#}
{% macro greatest_filled() %}{{ return(adapter.dispatch('greatest_filled', 'orgo_insights')()) }}{% endmacro %}

{#- The function that returns the least of its arguments that are not NULL. -#}
{% macro least_filled() %}{{ return(adapter.dispatch('least_filled', 'orgo_insights')()) }}{% endmacro %}

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
