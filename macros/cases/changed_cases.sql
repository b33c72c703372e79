{#- A select of the cases that changed since the last load, or whose inputs changed. Every arm reads the rows of one kind of change;
    a case found by several arms appears once. `window` is the result of load_window. -#}
{% macro changed_cases(window) -%}
    {%- set since = "'" ~ window.loaded_from ~ "'" -%}
    {%- set newest_profile = '(select max(profiles.updated_at) from ' ~ ref('stg_profiles') ~ ' as profiles)' -%}
    select case_id from {{ ref('stg_cases') }}
    where {{ few('updated_at >= ' ~ since) }}
    union
    select case_id from {{ ref('int_task_lifecycle') }}
    where case_id is not null
    union
    select cases.case_id
    from {{ ref('stg_cases') }} as cases
    inner join {{ ref('stg_organization_profiles') }} as choices on cases.organization_id = choices.organization_id
    where choices.updated_at >= {{ since }}
    union
    select case_id from {{ ref('stg_cases') }}
    where {{ few(newest_profile ~ ' >= ' ~ since) }}
    union
    -- Cases that a review listed since the last load.
    select case_id from ({{ stored_review_cases('loaded_at >= ' ~ since) }}) as reviews
    union
    -- Cases that were never loaded, however old their updated_at is (decision D140).
    select cases.case_id
    from {{ ref('stg_cases') }} as cases
    left join {{ stored_mart('fact_cases') }} as former
        on cases.case_id = former.case_id and cases.organization_id = former.organization_id
    where {{ few('former.case_id is null') }}
    union
    {{ cases_that_lost_a_task(window) }}
{%- endmacro %}

{#- A case that lost a task is not itself changed; it is detected by comparing its stored count with the number of its tasks. -#}
{% macro cases_that_lost_a_task(window) -%}
    select former.case_id
    from {{ stored_mart('fact_cases') }} as former
    left join (
        select
            organization_id,
            case_id,
            count(*) as task_count
        from {{ ref('int_tasks_checked') }}
        where case_id is not null and is_accepted and created_at < {{ utc_midnight("date '" ~ window.horizon ~ "'") }}
        group by organization_id, case_id
    ) as tasks on former.organization_id = tasks.organization_id and former.case_id = tasks.case_id
    where {{ few('former.linked_task_count <> coalesce(tasks.task_count, 0)') }}
{%- endmacro %}
