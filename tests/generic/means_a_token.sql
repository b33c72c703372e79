{#- Every historical token maps to a token of its enum. -#}
{% test means_a_token(model, enum, token) %}
select historical.*
from {{ model }} as historical
where
    not exists (
        select 1
        from {{ ref('tokens') }} as tokens
        where tokens.enum = historical.{{ enum }} and tokens.token = historical.{{ token }}
    )
{% endtest %}
