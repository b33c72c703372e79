{#- A query of the days on which outcomes of tasks have changed since this report was loaded, though no task was written: a time limit or a
    deadline has passed, or another profile applies. -#}
{% macro days_of_changed_outcomes() %}
    {%- if execute and not is_incremental() %}{{ return('') }}{% endif -%}
    {%- set profiles = ref('int_applicable_profiles') -%}
    {%- set former = "timestamptz '" ~ former_load().horizon ~ "'" -%}
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
    where load.horizon > {{ former }}
    union
    select
        tasks.organization_id,
        {{ utc_date('tasks.created_at') }} as day
    from {{ ref('dim_tasks') }} as tasks
    cross join ({{ latest_load('fact_tasks') }}) as load
    where tasks.closed_at is null and tasks.deadline_at >= {{ former }} and tasks.deadline_at < load.horizon
    union
    select
        report.organization_id,
        report.day
    from {{ this }} as report
    inner join ({{ domains_with_other_profiles() }}) as changed
        on
            report.organization_id = changed.organization_id
            and coalesce(report.domain, '') = coalesce(changed.domain, '')
{% endmacro %}

{#- The domains of organizations to which another profile applies than the report shows. All rows of a domain show the same profile, so one of
    each is looked at: the next domain, or that of the next organization, is the next key of an index. -#}
{% macro domains_with_other_profiles() -%}
    {%- set columns = ['profile_code', 'reactivity_seconds', 'max_escalation_seconds'] -%}
    {%- set row -%} stored.organization_id, stored.domain, stored.{{ columns | join(', stored.') }} {%- endset %}
    with recursive shown as (
        (select {{ row }} from {{ this }} as stored order by stored.organization_id, stored.domain limit 1)
        union all
        select following.*
        from shown
        cross join lateral (
            (
                select {{ row }} from {{ this }} as stored
                where stored.organization_id = shown.organization_id and stored.domain > shown.domain
                order by stored.domain
                limit 1
            )
            union all
            (
                select {{ row }} from {{ this }} as stored
                where stored.organization_id = shown.organization_id and stored.domain is null and shown.domain is not null
                limit 1
            )
            union all
            (
                select {{ row }} from {{ this }} as stored
                where stored.organization_id > shown.organization_id
                order by stored.organization_id, stored.domain
                limit 1
            )
            order by organization_id, domain
            limit 1
        ) as following
    )

    select shown.organization_id, shown.domain
    from shown
    {{ join_profiles('shown', 'shown.domain') }}
    where
        row(shown.{{ columns | join(', shown.') }}) is distinct from row(profiles.{{ columns | join(', profiles.') }})
{%- endmacro %}

{#- Joins, as `profiles`, the profile that applies to rows of a domain: the override of the domain, else that of the organization. -#}
{% macro join_profiles(row, domain) -%}
    left join {{ ref('int_applicable_profiles') }} as overrides
        on {{ row }}.organization_id = overrides.organization_id and {{ domain }} = overrides.domain
    left join {{ ref('int_applicable_profiles') }} as profiles
        on {{ row }}.organization_id = profiles.organization_id and coalesce(overrides.domain, '*') = profiles.domain
{%- endmacro %}
