{#- The review of one cadence, in one pass over the window's cases of all organizations (decisions D3 to D7).

    A case counts for several kinds of pattern; the seed pattern_kinds says how each groups and counts. The threshold of the profile
    that applies is compared with the densest stretch of a group; everything else about a group comes from the whole window.

    Most groups are too small to fire and are left out first. The rest are numbered: their cases are sorted once, by number and
    time, never by texts. Inside, a missing location and what a trend does not have are '', and missing codes 0, so that groups
    can be joined; pattern_rows makes them NULL. -#}
{% macro pattern_mart(cadence) -%}
with
{{ pattern_cases(cadence) }},

{{ pattern_groups() }},

{{ pattern_stretches() }},

{{ pattern_decision() }},

reviewed as materialized (
    {{ pattern_rows(cadence) }}
    union all
    {{ needs_attention_rows(cadence) }}
),

{{ with_episodes(cadence, 'reviewed') }}

select * from final
{%- endmacro %}
