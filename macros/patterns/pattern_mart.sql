{#- The review of one cadence, in one pass over the window's cases of all organizations (decisions D3 to D7).

    A case can count for several kinds of pattern; the seed pattern_kinds defines how each kind groups and counts. The threshold of the
    applicable profile is compared with the densest stretch of a group; all other measures of a group cover the whole window.

    Most groups are too small to fire and are dropped first. The rest are numbered, so that their cases are sorted once, by number and
    time, rather than by texts. Internally a missing location or a column that does not apply to a trend is '', and a missing code is
    0, so that groups can be joined with =; pattern_rows turns these values into NULL. -#}
{% macro pattern_mart(cadence) -%}
with
{{ pattern_rules(cadence) }},

{{ pattern_cases(cadence) }},

{{ pattern_candidates() }},

{{ pattern_groups() }},

{{ pattern_stretches() }},

{{ pattern_sources(cadence) }},

{{ pattern_decision() }},

reviewed as {{ cte_materialized() }} (
    {{ pattern_rows(cadence) }}
    union all
    {{ needs_attention_rows(cadence) }}
),

{{ with_episodes(cadence, 'reviewed') }}

select * from {{ this if is_shown() else 'final' }}
{%- endmacro %}
