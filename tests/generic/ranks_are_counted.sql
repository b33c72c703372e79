{#- The ranks of every enum are 1, 2, 3 and so on. Ranks serve as array indexes, so a gap would give wrong tokens. -#}
{% test ranks_are_counted(model, enum, rank) %}
select
    {{ enum }},
    count(*) as token_count,
    count({{ rank }}) as rank_count,
    min({{ rank }}) as first_rank,
    max({{ rank }}) as last_rank
from {{ model }}
group by {{ enum }}
having min({{ rank }}) is distinct from 1 or max({{ rank }}) is distinct from count(*) or count({{ rank }}) <> count(*)
{% endtest %}
