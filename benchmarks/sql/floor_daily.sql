-- A handwritten daily load, the floor of dbt's, on the tables of floor_first.sql: recompute what changed since the last load,
-- and write the rows that differ. The last load covered data up to the clock's as_of, exclusive. psql variable: as_of, the
-- day after the last event.
\set ON_ERROR_STOP on
set search_path = floor, public;
set timezone = 'UTC';
set jit = off;

-- Merges the rows of a query into a table of the schema, whose columns it has except loaded_at.
create or replace procedure merge_rows(target regclass, key text, query text) language plpgsql as $$
declare
    columns text[];
begin
    select array_agg(quote_ident(attname) order by attnum) into columns
    from pg_attribute
    where attrelid = target and attnum > 0 and attname not in (key, 'organization_id', 'loaded_at');
    execute format(
        'merge into %1$s as stored using (%2$s) as fresh'
        ' on stored.organization_id = fresh.organization_id and stored.%3$s = fresh.%3$s'
        ' when matched and row(%4$s) is distinct from row(%5$s) then update set (%6$s, loaded_at) = row(%5$s, now())'
        ' when not matched then insert (organization_id, %3$s, %6$s, loaded_at)'
        ' values (fresh.organization_id, fresh.%3$s, %5$s, now())',
        target, query, key,
        'stored.' || array_to_string(columns, ', stored.'),
        'fresh.' || array_to_string(columns, ', fresh.'),
        array_to_string(columns, ', ')
    );
end
$$;

begin;

select as_of as since from clock \gset
update clock set as_of = :'as_of', cutoff = :'as_of'::timestamptz - interval '730 days';

create temporary table changed_tasks on commit drop as
select id from tasks where updated_at >= :'since'
union
select task_id from task_events where created_at >= :'since'
union
select task_id from task_comments where updated_at >= :'since'
union
select tasks.id
from tasks
inner join person_profiles on tasks.requester_person_id = person_profiles.id
where person_profiles.updated_at >= :'since';
analyze changed_tasks;

-- Includes the previous cases of changed tasks, because a task can be moved to another case.
create temporary table changed_cases on commit drop as
select id from cases where updated_at >= :'since'
union
select case_id from tasks where id in (select id from changed_tasks) and case_id is not null
union
select case_id from dim_tasks where task_id in (select id from changed_tasks) and case_id is not null
union
select cases.id
from cases
inner join organization_profiles on cases.organization_id = organization_profiles.organization_id
where organization_profiles.updated_at >= :'since';
analyze changed_cases;

create temporary view changed_facts as
select
    hash_id(t.task_id) as id,
    t.task_id,
    organization_id,
    created_at::date as created_date_key,
    closed_at::date as closed_date_key,
    current_status,
    priority,
    severity,
    source,
    seconds_between(created_at, least(events.first_at, comments.first_at)) as time_to_first_response_seconds,
    hours(seconds_between(created_at, least(events.first_at, comments.first_at))) as time_to_first_response_hours,
    seconds_between(created_at, closed_at) as time_to_completion_seconds,
    hours(seconds_between(created_at, closed_at)) as time_to_completion_hours,
    escalation_count,
    comment_count,
    event_count,
    reopened_count,
    last_reopened_at,
    visibility
from dim_tasks as t
cross join lateral (
    select
        count(*)::integer as event_count,
        count(*) filter (where event_type = 'escalated')::integer as escalation_count,
        min(e.created_at) filter (where e.created_at > t.created_at and is_first_response(e)) as first_at
    from task_events as e
    where e.task_id = t.task_id and e.created_at < (select as_of from clock)
) as events
cross join lateral (
    select
        count(*)::integer as comment_count,
        min(c.created_at) filter (where c.created_at > t.created_at) as first_at
    from task_comments as c
    where c.task_id = t.task_id and c.created_at < (select as_of from clock)
) as comments
cross join lateral (
    select
        count(*) filter (where is_reopening)::integer as reopened_count,
        max(created_at) filter (where is_reopening) as last_reopened_at
    from (
        select
            e.created_at,
            is_closed(lag(e.new_value ->> 'status') over (order by e.created_at, e.id)) and not is_closed(e.new_value ->> 'status')
                as is_reopening
        from task_events as e
        where e.task_id = t.task_id and e.event_type = 'status_changed' and e.created_at < (select as_of from clock)
    ) as statuses
) as reopenings
where t.task_id in (select id from changed_tasks);

call merge_rows('dim_tasks', 'task_id', 'select * from named_tasks where task_id in (select id from changed_tasks)');
call merge_rows('fact_tasks', 'task_id', 'select * from changed_facts');
call merge_rows('dim_cases', 'case_id', 'select * from named_cases where case_id in (select id from changed_cases)');
call merge_rows('fact_cases', 'case_id', 'select * from case_facts where case_id in (select id from changed_cases)');

drop view changed_facts;
commit;
