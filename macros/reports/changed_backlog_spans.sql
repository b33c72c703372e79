{#- A select of the spans that the report lacks, has with another end or number, or has no longer (`is_vanished`). Of each subject and band whose
    number differs, those from the day before the first difference on are read. -#}
{% macro changed_backlog_spans(stored) -%}
with
{{ backlog_steps(stored if stored.is_known) }},
{% if stored.is_known %}
stored as (
    select
        groups.subject_id,
        spans.*
    from (
        select
            subject_id,
            min_age_days,
            {{ age_band('min_age_days') }} as age_band,
            min(day) as first_day
        from steps
        group by subject_id, min_age_days
    ) as groups
    inner join subjects on groups.subject_id = subjects.subject_id
    cross join lateral (
        select spans.* from {{ this }} as spans
        where spans.first_day >= groups.first_day and {{ is_of_group('spans') }}
        union all
        (
            select spans.* from {{ this }} as spans
            where spans.first_day < groups.first_day and {{ is_of_group('spans') }}
            order by spans.first_day desc
            limit 1
        )
    ) as spans
    where spans.last_day is null or spans.last_day >= groups.first_day - 1
),

all_steps as (
    select
        subject_id,
        min_age_days,
        day,
        sum(step) as step
    from (
        select * from steps
        union all
        select subject_id, min_age_days, first_day, open_count from stored
        union all
        select subject_id, min_age_days, last_day + 1, -1 * open_count from stored
        where last_day is not null
    ) as both_ends
    group by subject_id, min_age_days, day
    having sum(step) <> 0
),
{% else %}
stored as (
    select * from {{ this }}
),
{% endif %}
spans as (
    {{ backlog_spans('all_steps' if stored.is_known else 'steps') }}
)

select
    {%- for column in key_columns() %}
    coalesce(spans.{{ column }}, stored.{{ column }}) as {{ column }},
    {%- endfor %}
    spans.last_day,
    spans.min_age_days,
    spans.open_count,
    spans.first_day is null as is_vanished
from spans
full join stored on {{ is_same_span('spans', 'stored') }}
where row(spans.last_day, spans.open_count) is distinct from row(stored.last_day, stored.open_count)
{%- endmacro %}

{#- Whether a stored span is of the subject and band of a group. -#}
{% macro is_of_group(spans) -%}
    {%- for column in backlog_subject() -%}
    {{ spans }}.{{ column }} = subjects.{{ column }} and {% endfor -%}
    {{ spans }}.age_band = groups.age_band
{%- endmacro %}

{#- Whether rows of two relations have the key of the report. -#}
{% macro is_same_span(one, other) -%}
    {%- for column in key_columns() -%}
    {{ ' and ' if not loop.first }}{{ one }}.{{ column }} = {{ other }}.{{ column }}
    {%- endfor -%}
{%- endmacro %}
