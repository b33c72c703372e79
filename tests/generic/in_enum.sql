{#- Every value is a token of an enum of seeds/tokens.csv. NULL passes. -#}
{% test in_enum(model, column_name, enum) %}
select
    {{ column_name }} as unknown_token,
    count(*) as row_count
from {{ model }}
where {{ column_name }} not in ({{ enum_tokens(enum) }})
group by {{ column_name }}
{% endtest %}
