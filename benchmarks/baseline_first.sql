-- A handwritten first build, as a lower bound for dbt: the tables dim_tasks, fact_tasks, dim_cases and fact_cases with their
-- columns, keys and indexes, in the schema `baseline`. It trusts the columns' types, so it maps no old tokens and rejects no rows;
-- it has no tests, logs, documentation or grants. psql variable: as_of, the day after the last event.
\set ON_ERROR_STOP on
create schema baseline;
set search_path = baseline, public;
set timezone = 'UTC';
set jit = off;

create table clock as select :'as_of'::timestamptz as as_of, :'as_of'::timestamptz - interval '730 days' as cutoff;

create function visibility_rank(token text) returns integer language sql immutable parallel safe return
    coalesce(array_position(array['PUBLIC', 'INTERNAL', 'RESTRICTED', 'ANONYMISED'], token), 3);

create function label_is_valid(label text) returns boolean language sql immutable parallel safe return
    label ~ '^(1|2|11|101|1001|10|100|1000)[.][1-9][1-5]([.][^.]*[^. ][^.]*)*$';

create function seconds_between(start timestamptz, finish timestamptz) returns bigint language sql immutable parallel safe return
    case when finish >= start then floor(extract(epoch from finish - start))::bigint end;

create function hash_id(key uuid) returns bigint language sql immutable parallel safe return
    ('x' || left(md5(key::text), 16))::bit(64)::bigint;

-- `offset 0` makes PostgreSQL evaluate each LATERAL once per row; lookups in source tables use their indexes.
create view task_rows as
select
    tasks.id as task_id,
    tasks.organization_id,
    case_id,
    label,
    case when is_label_valid then split_part(label, '.', 1)::integer end as label_base,
    case when is_label_valid then left(split_part(label, '.', 2), 1)::integer end as label_category,
    case when is_label_valid then right(split_part(label, '.', 2), 1)::integer end as label_subcategory,
    case when is_label_valid then nullif(substr(label, length(split_part(label, '.', 1)) + 5), '') end as label_role,
    is_label_valid,
    type,
    category::text as category,
    subtype,
    priority::text as priority,
    severity::text as severity,
    case
        when visibility in ('PUBLIC', 'INTERNAL') and confidentiality_level <> 'normal' then 'RESTRICTED'
        else visibility::text
    end as visibility,
    source::text as source,
    assignee_role,
    tasks.created_at,
    ended.closed_at,
    status::text as current_status,
    array_remove(
        array[
            case when not is_label_valid then 'label_unparsable' end,
            case when tasks.closed_at is not null and ended.closed_at is null then 'closed_at_on_open_status' end,
            case when tasks.closed_at is null and ended.closed_at is not null then 'closed_at_inferred' end,
            case when ended.closed_at < tasks.created_at then 'closed_before_created' end
        ],
        null
    ) as quality_flags
from tasks
left join person_profiles on tasks.requester_person_id = person_profiles.id
cross join lateral (select label_is_valid(label) as is_label_valid offset 0) as parsed
cross join lateral (
    select
        case
            when status in ('COMPLETED', 'FAILED', 'CANCELLED')
                then coalesce(
                    tasks.closed_at,
                    (
                        select max(created_at)
                        from task_events
                        where
                            task_id = tasks.id
                            and event_type = 'status_changed'
                            and new_value ->> 'status' = status::text
                            and created_at < (select as_of from clock)
                    ),
                    tasks.updated_at
                )
        end as closed_at
    offset 0
) as ended
where tasks.created_at >= (select cutoff from clock) and tasks.created_at < (select as_of from clock);

create table dim_tasks as select *, now() as loaded_at from task_rows;
alter table dim_tasks add primary key (task_id);
create index on dim_tasks (organization_id, created_at);
create index on dim_tasks (case_id);

create table fact_tasks as
with events as (
    select
        task_id,
        count(*)::integer as event_count,
        count(*) filter (where event_type = 'escalated')::integer as escalation_count,
        min(e.created_at) filter (
            where
                e.created_at > t.created_at
                and (
                    event_type in ('ownership_changed', 'comment_added')
                    or (
                        event_type = 'status_changed'
                        and coalesce(old_value ->> 'status', 'PENDING') = 'PENDING'
                        and new_value ->> 'status' <> 'PENDING'
                    )
                )
        ) as first_at
    from task_events as e
    inner join tasks as t on e.task_id = t.id
    where e.created_at < (select as_of from clock)
    group by task_id
),

comments as (
    select
        task_id,
        count(*)::integer as comment_count,
        min(c.created_at) filter (where c.created_at > t.created_at) as first_at
    from task_comments as c
    inner join tasks as t on c.task_id = t.id
    where c.created_at < (select as_of from clock)
    group by task_id
)

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
    seconds_between(created_at, closed_at) as time_to_completion_seconds,
    coalesce(escalation_count, 0) as escalation_count,
    coalesce(comment_count, 0) as comment_count,
    coalesce(event_count, 0) as event_count,
    visibility,
    now() as loaded_at
from dim_tasks as t
left join events on t.task_id = events.task_id
left join comments on t.task_id = comments.task_id;

alter table fact_tasks add unique (id);
create unique index on fact_tasks (task_id);
create index on fact_tasks (organization_id, created_date_key);

create view case_rows as
select
    cases.id as case_id,
    cases.organization_id,
    label,
    case when is_label_valid then split_part(label, '.', 1)::integer end as label_base,
    case when is_label_valid then left(split_part(label, '.', 2), 1)::integer end as label_category,
    case when is_label_valid then right(split_part(label, '.', 2), 1)::integer end as label_subcategory,
    case when is_label_valid then nullif(substr(label, length(split_part(label, '.', 1)) + 5), '') end as label_role,
    is_label_valid,
    title,
    status::text as status,
    severity::text as severity,
    origin_vertical_level,
    origin_role,
    cases.created_at as opened_at,
    case when status in ('resolved', 'archived') then cases.updated_at end as closed_at,
    (array['PUBLIC', 'INTERNAL', 'RESTRICTED', 'ANONYMISED'])[greatest(
        coalesce(
            case when metadata ? 'visibility' then visibility_rank(metadata ->> 'visibility') end,
            tasks_of_case.visibility_rank,
            visibility_rank(default_visibility)
        ),
        case when tasks_of_case.is_sensitive then 3 end
    )] as visibility,
    array_remove(array[case when not is_label_valid then 'label_unparsable' end], null) as quality_flags
from cases
left join organization_profiles on cases.organization_id = organization_profiles.organization_id
left join insights_ops.profiles on organization_profiles.profile_code = profiles.profile_code
cross join lateral (select label_is_valid(label) as is_label_valid offset 0) as parsed
cross join lateral (
    select
        max(visibility_rank(visibility::text)) as visibility_rank,
        bool_or(confidentiality_level <> 'normal') as is_sensitive
    from tasks
    left join person_profiles on tasks.requester_person_id = person_profiles.id
    where case_id = cases.id and tasks.created_at < (select as_of from clock)
) as tasks_of_case
where cases.created_at >= (select cutoff from clock) and cases.created_at < (select as_of from clock);

create table dim_cases as select *, now() as loaded_at from case_rows;
alter table dim_cases add primary key (case_id);
create index on dim_cases (organization_id, opened_at);

create view case_facts as
select
    hash_id(c.case_id) as id,
    c.case_id,
    c.organization_id,
    opened_at::date as opened_date_key,
    closed_at::date as closed_date_key,
    status,
    severity,
    linked_task_count,
    escalation_count,
    0 as review_count,
    visibility
from dim_cases as c
cross join lateral (
    select
        count(*)::integer as linked_task_count,
        coalesce(sum(fact_tasks.escalation_count), 0)::integer as escalation_count
    from dim_tasks
    inner join fact_tasks on dim_tasks.task_id = fact_tasks.task_id
    where dim_tasks.case_id = c.case_id
) as tasks_of_case;

create table fact_cases as select *, now() as loaded_at from case_facts;
alter table fact_cases add unique (id);
create unique index on fact_cases (case_id);
create index on fact_cases (organization_id, opened_date_key);
