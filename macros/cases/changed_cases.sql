{#- A select of the cases that changed since the last load, or whose inputs changed. Every arm reads the rows of one kind of change;
    a case found by several arms appears once. `window` is the result of load_window. -#}
{% macro changed_cases(window) -%}
    {%- set since = moment_of(window.loaded_from) -%}
    {%- set newest_profile = '(select max(profiles.updated_at) from ' ~ ref('stg_profiles') ~ ' as profiles)' -%}
    {%- set stored = stored_mart('fact_cases') -%}
    {#- The case that a task was in is known while dim_tasks is as the last load of the cases left it. -#}
    {%- set unchanged = unchanged_sources(window, beside=['dim_tasks']) -%}
    with changed_tasks as (
        select
            task_id,
            case_id,
            created_at
        from {{ ref('int_tasks_checked') }}
        where {{ happened_since('updated_at', since) }}
    )

    select case_id from {{ ref('stg_cases') }}
    where updated_at >= {{ since }}
    {%- if 'cases' not in unchanged or 'organizations' not in unchanged %}
    union distinct
    -- Cases that were never loaded, however old their updated_at is (decision D140).
    select cases.case_id
    from {{ ref('stg_cases') }} as cases
    left join {{ stored }} as former on cases.case_id = former.case_id and cases.organization_id = former.organization_id
    where {{ few('former.case_id is null') }}
    {%- endif %}
    union distinct
    select case_id from {{ ref('int_task_lifecycle') }}
    where case_id is not null
    union distinct
    -- A profile counts for cases without tasks only.
    select former.case_id
    from {{ stored }} as former
    left join {{ ref('stg_organization_profiles') }} as choices on former.organization_id = choices.organization_id
    where former.linked_task_count = 0 and (choices.updated_at >= {{ since }} or {{ newest_profile }} >= {{ since }})
    union distinct
    {{ cases_with_other_reviews(stored, since) }}
    union distinct
    -- A task that changed and is rejected or out of retention is in no delta. It may have left another case: dim_tasks, which is built later,
    -- has the tasks as the previous load stored them, whatever their organization was.
    select linked.case_id
    from changed_tasks
    {%- if stored_or_none('dim_tasks') %}
    left join {{ stored_mart('dim_tasks') }} as former on changed_tasks.task_id = former.task_id
    cross join {{ lateral() }} {{ rows_beside('linked', ['case_id'], [['changed_tasks.case_id'], ['former.case_id']]) }}
    {%- else %}
    cross join {{ lateral() }} {{ rows_beside('linked', ['case_id'], [['changed_tasks.case_id']]) }}
    {%- endif %}
    where linked.case_id is not null
    union distinct
    select lost.case_id
    from ({{ cases_that_lost_a_task(stored, window) }}) as lost
    {%- if 'tasks' in unchanged and 'cases' in unchanged %}
    -- Of a task that was purged it is not known which case it has left.
    where
        exists (
            select 1 from changed_tasks
            where created_at < {{ utc_midnight("date '" ~ window.cutoff ~ "'") }}
        )
    {%- endif %}
{%- endmacro %}

{#- Cases that a review listed since the last load, unless their stored number of reviews is right. -#}
{% macro cases_with_other_reviews(stored, since) -%}
    select reviews.case_id
    from (
        select
            organization_id,
            case_id,
            count(*) as review_count
        from ({{ stored_review_cases() }}) as all_reviews
        group by organization_id, case_id
    ) as reviews
    left join {{ stored }} as former on reviews.case_id = former.case_id and reviews.organization_id = former.organization_id
    where
        reviews.case_id in (select new_reviews.case_id from ({{ stored_review_cases('loaded_at >= ' ~ since) }}) as new_reviews)
        and {{ few('former.review_count is distinct from reviews.review_count') }}
{%- endmacro %}
