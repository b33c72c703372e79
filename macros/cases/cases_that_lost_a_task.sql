{#- A case that lost a task is not itself changed; it is detected by comparing its stored count with the number of its tasks. All tasks
    of a case are counted first, because the index on case_id alone answers that (decision D169); only where the numbers differ, for
    example since a task is rejected, the accepted tasks are. -#}
{% macro cases_that_lost_a_task(stored, window) -%}
    select recounted.case_id
    from (
        select
            suspects.case_id,
            suspects.linked_task_count,
            count(tasks.task_id) as task_count
        from (
            select
                former.organization_id,
                former.case_id,
                former.linked_task_count
            from {{ stored }} as former
            left join (
                select
                    case_id,
                    count(*) as task_count
                from {{ ref('int_tasks_checked') }}
                where case_id is not null
                group by case_id
            ) as counts on former.case_id = counts.case_id
            where {{ few('former.linked_task_count <> coalesce(counts.task_count, 0)') }}
        ) as suspects
        left join {{ ref('int_tasks_checked') }} as tasks
            on
                suspects.case_id = tasks.case_id
                and suspects.organization_id = tasks.organization_id
                and tasks.is_accepted
                and tasks.created_at < {{ utc_midnight("date '" ~ window.horizon ~ "'") }}
        group by suspects.organization_id, suspects.case_id, suspects.linked_task_count
    ) as recounted
    where recounted.linked_task_count <> recounted.task_count
{%- endmacro %}
