{#- Expressions that engines write differently, in alphabetical order. Each gives the same value on every engine: the same unit tests run on
    each, and a mart has the same rows. -#}

{#- A moment some seconds after another, which may be a fraction or less than zero. -#}
{% macro add_seconds(moment, seconds) %}{{ return(adapter.dispatch('add_seconds', 'orgo_insights')(moment, seconds)) }}{% endmacro %}

{#- An array of those of the given elements that are not NULL. -#}
{% macro array_of_filled(elements) %}{{ return(adapter.dispatch('array_of_filled', 'orgo_insights')(elements)) }}{% endmacro %}

{#- How many elements an array has; NULL for NULL. -#}
{% macro count_elements(array) %}{{ return(adapter.dispatch('count_elements', 'orgo_insights')(array)) }}{% endmacro %}

{#- The English name of the day of the week, and that of the month. -#}
{% macro day_name(day) %}{{ return(adapter.dispatch('day_name', 'orgo_insights')(day)) }}{% endmacro %}
{% macro month_name(day) %}{{ return(adapter.dispatch('month_name', 'orgo_insights')(day)) }}{% endmacro %}

{#- The elements of the arrays of a group that meet a condition, for each_element; these arrays must have as many elements each, or
    none. NULL if there are no elements. -#}
{% macro elements_of_group(array, condition) %}{{ return(adapter.dispatch('elements_of_group', 'orgo_insights')(array, condition)) }}{% endmacro %}

{#- A row for each different element of what elements_of_group collected. -#}
{% macro each_element(array) %}{{ return(adapter.dispatch('each_element', 'orgo_insights')(array)) }}{% endmacro %}

{#- A signed 64-bit number made from the first half of the MD5 of an id's text. -#}
{% macro hash_id(uuid_column) %}{{ return(adapter.dispatch('hash_id', 'orgo_insights')(uuid_column)) }}{% endmacro %}

{#- Whether an array has elements. -#}
{% macro has_elements(array) %}{{ return(adapter.dispatch('has_elements', 'orgo_insights')(array)) }}{% endmacro %}

{#- Seconds as hours with two decimals, for people, halves rounded away from zero; sums and means are computed from the seconds. -#}
{% macro hours(seconds) %}{{ return(adapter.dispatch('hours', 'orgo_insights')(seconds)) }}{% endmacro %}

{#- A text whose order is that of its code points, whatever the collation of the database is. -#}
{% macro in_c_order(text) %}{{ return(adapter.dispatch('in_c_order', 'orgo_insights')(text)) }}{% endmacro %}

{#- Whether an id is one of few that a query selects, as a condition on a large relation with an index on the id. -#}
{% macro is_one_of(id, query) %}{{ return(adapter.dispatch('is_one_of', 'orgo_insights')(id, query)) }}{% endmacro %}

{#- The ISO week of a day: 2026-W01. -#}
{% macro iso_week(day) %}{{ return(adapter.dispatch('iso_week', 'orgo_insights')(day)) }}{% endmacro %}

{#- An ASCII text in lower or upper case; other letters stay, so that no locale counts. -#}
{% macro lower_case(text) %}{{ return(adapter.dispatch('lower_case', 'orgo_insights')(text)) }}{% endmacro %}
{% macro upper_case(text) %}{{ return(adapter.dispatch('upper_case', 'orgo_insights')(text)) }}{% endmacro %}

{#- The most frequent value of a group, of the rows that meet a condition; among equals, the first in C order. -#}
{% macro most_frequent(text, condition=none) %}{{ return(adapter.dispatch('most_frequent', 'orgo_insights')(text, condition)) }}{% endmacro %}

{#- A hash of several texts, in which a missing one may count as an empty one. Use it within one query only, since another release of the
    engine may hash differently. Different texts may share a hash. -#}
{% macro hash_of_texts(texts) %}{{ return(adapter.dispatch('hash_of_texts', 'orgo_insights')(texts)) }}{% endmacro %}

{#- The name of a temporary table. -#}
{% macro temporary(name) %}{{ return(adapter.dispatch('temporary', 'orgo_insights')(name)) }}{% endmacro %}

{#- The statements that keep the rows of a query in a temporary table until the transaction ends. -#}
{% macro keep_temporarily(name, query) %}{{ return(adapter.dispatch('keep_temporarily', 'orgo_insights')(name, query)) }}{% endmacro %}

{#- The seconds from one moment to another, with their exact fraction. -#}
{% macro elapsed_seconds(start, finish) %}{{ return(adapter.dispatch('elapsed_seconds', 'orgo_insights')(start, finish)) }}{% endmacro %}

{#- Whether a text contains what a regular expression describes. -#}
{% macro matches(text, pattern) %}{{ return(adapter.dispatch('matches', 'orgo_insights')(text, pattern)) }}{% endmacro %}

{#- A quotient of whole numbers that are not negative with some decimals, halves rounded up; NULL for a whole of 0. -#}
{% macro rounded_quotient(part, whole, digits) %}{{ return(adapter.dispatch('rounded_quotient', 'orgo_insights')(part, whole, digits)) }}{% endmacro %}

{#- The different texts of a group, of the rows that meet a condition, as an array in C order; NULL for a group without rows. -#}
{% macro distinct_elements(text, condition=none) %}{{ return(adapter.dispatch('distinct_elements', 'orgo_insights')(text, condition)) }}{% endmacro %}

{#- The value below which a share of a group's values lies, between two values in proportion, of the rows that meet a condition; NULL values
    do not count. -#}
{% macro percentile(share, value, condition=none) %}{{ return(adapter.dispatch('percentile', 'orgo_insights')(share, value, condition)) }}{% endmacro %}
