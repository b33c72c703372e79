{#- A query of the days on which outcomes of tasks have changed since this report was loaded, though no task was written: a time limit or a
    deadline has passed, or another profile applies. A report whose load is not in the log counts all days anyway, and no time is known since
    which a limit may have passed. -#}
{% macro days_of_changed_outcomes() %}
    {%- if execute and (not is_incremental() or not follows_changes() or former_load().logged_at == '-infinity') %}{{ return('') }}{% endif -%}
    {%- set profiles = ref('int_applicable_profiles') -%}
    {%- set former = moment_of(former_load().horizon) -%}
    {#- Tasks of an age between the two horizons, less the limit: they are of a few days, so they need not be looked at. -#}
    select
        profiles.organization_id,
        cast(passed.day as date) as day
    from {{ profiles }} as profiles
    cross join ({{ latest_load('fact_tasks') }}) as load
    cross join lateral (values (profiles.reactivity_seconds), (profiles.max_escalation_seconds)) as limits (seconds)
    cross join lateral generate_series(
        cast({{ utc_date("(" ~ former ~ " - limits.seconds * interval '1 second')") }} as timestamp),
        cast({{ utc_date("(load.horizon - limits.seconds * interval '1 second')") }} as timestamp),
        interval '1 day'
    ) as passed (day)
    where load.horizon > {{ former }} and profiles.limits_in is distinct from 'business'
    union distinct
    -- The same in business time: tasks of which fewer open seconds than the limit had passed, and more have now.
    select
        profiles.organization_id,
        cast(passed.day as date) as day
    from {{ profiles }} as profiles
    cross join ({{ latest_load('fact_tasks') }}) as load
    cross join lateral (values (profiles.reactivity_seconds), (profiles.max_escalation_seconds)) as limits (seconds)
    cross join lateral (
        values (
            {{ open_moment('profiles', open_seconds('profiles', former) ~ ' - limits.seconds') }},
            {{ open_moment('profiles', open_seconds('profiles', 'load.horizon') ~ ' - limits.seconds') }}
        )
    ) as created (since, until)
    cross join lateral generate_series(
        cast({{ utc_date('coalesce(created.since, load.cutoff)') }} as timestamp),
        cast({{ utc_date('created.until') }} as timestamp),
        interval '1 day'
    ) as passed (day)
    where load.horizon > {{ former }} and profiles.limits_in = 'business'
    union distinct
    -- The calendar may have changed.
    select
        business.organization_id,
        business.created_date_key as day
    from {{ ref('fact_task_business_times') }} as business
    where
        business.loaded_at >= {{ moment_of(former_load().logged_at) }}
        and business.organization_id in (
            select profiles.organization_id from {{ profiles }} as profiles
            where profiles.limits_in = 'business'
        )
    union distinct
    select
        tasks.organization_id,
        {{ utc_date('tasks.created_at') }} as day
    from {{ ref('dim_tasks') }} as tasks
    cross join ({{ latest_load('fact_tasks') }}) as load
    where tasks.closed_at is null and tasks.deadline_at >= {{ former }} and tasks.deadline_at < load.horizon
    union distinct
    select
        report.organization_id,
        report.day
    from {{ this }} as report
    inner join ({{ domains_with_other_profiles() }}) as changed
        on
            report.organization_id = changed.organization_id
            and coalesce(report.domain, '') = coalesce(changed.domain, '')
{% endmacro %}
