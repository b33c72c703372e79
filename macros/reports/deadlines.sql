{#- The outcome of a task's deadline at a moment: kept (closed at or before it), missed (closed after it, or unresolved and past it),
    undecided, or NULL without a deadline. -#}
{% macro deadline_outcome(closed_at, deadline_at, moment) -%}
    case
        when {{ closed_at }} <= {{ deadline_at }} then 'kept'
        when {{ closed_at }} > {{ deadline_at }} or {{ deadline_at }} < {{ moment }} then 'missed'
        when {{ deadline_at }} is not null then 'undecided'
    end
{%- endmacro %}

{#- Whether a time limit was exceeded: it took longer, or the task is still open and older than the limit. NULL while undecided. -#}
{% macro is_breach(seconds, limit, is_open, age) -%}
    case
        when {{ seconds }} is not null then {{ seconds }} > {{ limit }}
        when {{ is_open }} and {{ age }} > {{ limit }} then true
    end
{%- endmacro %}
