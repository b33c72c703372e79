{#- The CTEs of a query of backlog spans: `subjects`, numbered, because millions of steps are sorted by them, and `steps`, the changes of
    open_count by subject_id, min_age_days and day. All tasks are counted, or the changed ones of the temporary table backlog_tasks: as they are now, less
    what the stored backlog counts them as. -#}
{% macro backlog_steps(stored=none) -%}
{%- set subject = backlog_subject() | join(', ') -%}
{%- set bands = [] -%}
{%- for name, first, last in age_bands() %}{% do bands.append([first, last]) %}{% endfor -%}
{%- set is_same_task = 'tasks.task_id = times.task_id and tasks.organization_id = times.organization_id' -%}
span as (
    select
        cutoff,
        horizon,
        {{ utc_date('horizon') }} as until
    from ({{ load_of_backlog() }}) as load
),

tasks as (
    {{ backlog_tasks(stored) }}
),

subjects as (
    select
        {{ subject }},
        {{ any_number() }} as subject_id
    from (select distinct {{ subject }} from tasks) as found
),

times as (
    {{ backlog_times(stored) }}
),

-- An open task reaches each band on a day that is known, so that it needs no row a day; days that have not ended are not counted.
banded as (
    select
        subjects.subject_id,
        bands.min_age_days,
        {{ greatest_filled(['times.first_day', 'tasks.created_on + bands.min_age_days']) }} as first_day,
        {{ least_filled(['times.end_day', 'tasks.created_on + bands.max_age_days + 1']) }} as end_day,
        {{ "case when tasks.is_current then 1 else -1 end" if stored else '1' }} as task_count,
        {{ "case when tasks.is_current then span.until else date '" ~ stored.until ~ "' end" if stored else 'span.until' }} as until
    from tasks
    inner join times on {{ is_same_task }}{{ ' and tasks.is_current = times.is_current' if stored }}
    inner join subjects
        on {% for column in backlog_subject() %}{{ ' and ' if not loop.first }}tasks.{{ column }} = subjects.{{ column }}{% endfor %}
    cross join span
    cross join {{ rows_of('bands', ['min_age_days', 'max_age_days'], bands) }}
    where
        {{ greatest_filled(['times.first_day', 'tasks.created_on + bands.min_age_days']) }}
        < {{ least_filled(['times.end_day', 'tasks.created_on + bands.max_age_days + 1']) }}
),

steps as (
    select
        banded.subject_id,
        banded.min_age_days,
        ends.day,
        cast(sum(ends.step) as integer) as step
    from banded
    cross join {{ lateral() }} {{ rows_beside('ends', ['day', 'step'], [
        ['banded.first_day', 'banded.task_count'],
        ['banded.end_day', '-1 * banded.task_count'],
    ]) }}
    where ends.day < banded.until
    group by banded.subject_id, banded.min_age_days, ends.day
    having sum(ends.step) <> 0
)
{%- endmacro %}
