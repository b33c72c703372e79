-- A handwritten first build, the floor of dbt's: dim_tasks, fact_tasks, dim_cases and fact_cases with their columns, keys
-- and indexes, in the schema `floor`. It trusts the columns' types, so it maps no old tokens and rejects no rows; it has no
-- tests, logs, documentation or grants, and no reviews. psql variable: as_of, the day after the last event.
\set ON_ERROR_STOP on
create schema floor;
set search_path = floor, public;
set timezone = 'UTC';
set jit = off;

create table clock as select :'as_of'::timestamptz as as_of, :'as_of'::timestamptz - interval '730 days' as cutoff;

-- seeds/label_*.csv
create table label_bases as
values
(1, 'CEO'), (2, 'C-level'), (11, 'Department head'), (101, 'Team lead'), (1001, 'Staff'),
(10, 'Broadcast 10'), (100, 'Broadcast 100'), (1000, 'Broadcast 1000');
alter table label_bases rename column1 to base;
alter table label_bases rename column2 to name;

create table label_categories as
select category, name
from unnest(array[
    'Operational', 'Strategic', 'Compliance', 'Customer', 'Training', 'Communication', 'Financial', 'Technical', 'Crisis'
]) with ordinality as listed (name, category);

create table label_subcategories as
select subcategory, name
from unnest(array['Request', 'Update', 'Decision', 'Report', 'Distribution']) with ordinality as listed (name, subcategory);

create function rank_of(token text) returns integer language sql immutable parallel safe return
    coalesce(array_position(array['PUBLIC', 'INTERNAL', 'RESTRICTED', 'ANONYMISED'], token), 3);

create function token_of(rank integer) returns text language sql immutable parallel safe return
    (array['PUBLIC', 'INTERNAL', 'RESTRICTED', 'ANONYMISED'])[rank];

create function label_is_valid(label text) returns boolean language sql immutable parallel safe return
    label ~ '^(1|2|11|101|1001|10|100|1000)[.][1-9][1-5]([.][^.]*[^. ][^.]*)*$';

create function seconds_between(start timestamptz, finish timestamptz) returns bigint language sql immutable parallel safe return
    case when finish >= start then floor(extract(epoch from finish - start))::bigint end;

create function hash_id(key uuid) returns bigint language sql immutable parallel safe return
    ('x' || left(md5(key::text), 16))::bit(64)::bigint;

create function hours(seconds bigint) returns numeric language sql immutable parallel safe return
    round(seconds / 3600.0, 2);

create function is_closed(status text) returns boolean language sql immutable parallel safe return
    status in ('COMPLETED', 'FAILED', 'CANCELLED');

create function is_first_response(event task_events) returns boolean language sql immutable parallel safe return
    event.event_type in ('ownership_changed', 'comment_added')
    or (
        event.event_type = 'status_changed'
        and coalesce(event.old_value ->> 'status', 'PENDING') = 'PENDING'
        and event.new_value ->> 'status' <> 'PENDING'
    );

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
    token_of(greatest(rank_of(visibility::text), case when is_sensitive then 3 end)) as visibility,
    is_sensitive as is_about_sensitive_person,
    source::text as source,
    assignee_role,
    tasks.created_at,
    ended.closed_at,
    reactivity_deadline_at as deadline_at,
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
cross join lateral (
    select
        label_is_valid(label) as is_label_valid,
        requester_person_id is not null and confidentiality_level is distinct from 'normal' as is_sensitive
    offset 0
) as parsed
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

create view named_tasks as
select
    task_rows.*,
    b.name as label_base_name,
    c.name as label_category_name,
    s.name as label_subcategory_name,
    coalesce(
        (select min(id::text)::uuid from roles where roles.organization_id = task_rows.organization_id and code = assignee_role),
        (select min(id::text)::uuid from roles where roles.organization_id is null and code = assignee_role)
    ) as role_id
from task_rows
left join label_bases as b on label_base = b.base
left join label_categories as c on label_category = c.category
left join label_subcategories as s on label_subcategory = s.subcategory;

create table dim_tasks as select *, now() as loaded_at from named_tasks;
alter table dim_tasks add primary key (organization_id, task_id);
create index on dim_tasks (organization_id, created_at);
create index on dim_tasks (case_id);
analyze dim_tasks;

create table fact_tasks as
with events as (
    select
        task_id,
        count(*)::integer as event_count,
        count(*) filter (where event_type = 'escalated')::integer as escalation_count,
        min(e.created_at) filter (where e.created_at > t.created_at and is_first_response(e)) as first_at
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
),

statuses as (
    select
        task_id,
        created_at,
        new_value ->> 'status' as status,
        lag(new_value ->> 'status') over (partition by task_id order by created_at, id) as former_status
    from task_events
    where event_type = 'status_changed' and created_at < (select as_of from clock)
),

reopenings as (
    select
        task_id,
        count(*)::integer as reopened_count,
        max(created_at) as last_reopened_at
    from statuses
    where is_closed(former_status) and not is_closed(status)
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
    hours(seconds_between(created_at, least(events.first_at, comments.first_at))) as time_to_first_response_hours,
    seconds_between(created_at, closed_at) as time_to_completion_seconds,
    hours(seconds_between(created_at, closed_at)) as time_to_completion_hours,
    coalesce(escalation_count, 0) as escalation_count,
    coalesce(comment_count, 0) as comment_count,
    coalesce(event_count, 0) as event_count,
    coalesce(reopened_count, 0) as reopened_count,
    last_reopened_at,
    visibility,
    now() as loaded_at
from dim_tasks as t
left join events on t.task_id = events.task_id
left join comments on t.task_id = comments.task_id
left join reopenings on t.task_id = reopenings.task_id;

alter table fact_tasks add unique (id);
create unique index on fact_tasks (organization_id, task_id);
create index on fact_tasks (organization_id, created_date_key);
analyze fact_tasks;

create view linked_tasks as
select
    tasks.case_id,
    tasks.organization_id,
    tasks.type,
    rank_of(tasks.visibility::text) as rank,
    tasks.requester_person_id is not null and confidentiality_level is distinct from 'normal' as is_sensitive
from tasks
left join person_profiles as persons on tasks.requester_person_id = persons.id
where tasks.created_at < (select as_of from clock);

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
    coalesce(domain, 'generic') as domain,
    location::text as location,
    coalesce(visible_domain, 'generic') as visible_domain,
    false as is_own_review,
    status::text as status,
    severity::text as severity,
    origin_vertical_level,
    origin_role,
    cases.created_at as opened_at,
    case when status in ('resolved', 'archived') then cases.updated_at end as closed_at,
    cases.created_at + reactivity_time as deadline_at,
    token_of(ranked.rank) as visibility,
    token_of(greatest(ranked.rank, task_rank)) as strictest_visibility,
    array_remove(array[case when not is_label_valid then 'label_unparsable' end], null) as quality_flags
from cases
left join organization_profiles on cases.organization_id = organization_profiles.organization_id
left join insights_ops.profiles on organization_profiles.profile_code = profiles.profile_code
cross join lateral (
    select
        label_is_valid(label) as is_label_valid,
        case when metadata ? 'visibility' then rank_of(metadata ->> 'visibility') end as own_rank
    offset 0
) as parsed
cross join lateral (
    select
        mode() within group (order by type collate "C") as domain,
        mode() within group (order by type collate "C") filter (where is_visible) as visible_domain,
        max(rank) as task_rank,
        bool_or(is_sensitive) as is_sensitive
    from (
        select *, own_rank is null or rank <= own_rank as is_visible
        from linked_tasks
        where case_id = cases.id and linked_tasks.organization_id = cases.organization_id
    ) as linked
) as linked
cross join lateral (
    select greatest(coalesce(own_rank, task_rank, rank_of(default_visibility)), case when is_sensitive then 3 end) as rank
    offset 0
) as ranked
where cases.created_at >= (select cutoff from clock) and cases.created_at < (select as_of from clock);

create view named_cases as
select case_rows.*, b.name as label_base_name, c.name as label_category_name, s.name as label_subcategory_name
from case_rows
left join label_bases as b on label_base = b.base
left join label_categories as c on label_category = c.category
left join label_subcategories as s on label_subcategory = s.subcategory;

create table dim_cases as select *, now() as loaded_at from named_cases;
alter table dim_cases add primary key (organization_id, case_id);
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
    seconds_between(opened_at, closed_at) as time_to_close_seconds,
    hours(seconds_between(opened_at, closed_at)) as time_to_close_hours,
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
    inner join fact_tasks
        on dim_tasks.task_id = fact_tasks.task_id and dim_tasks.organization_id = fact_tasks.organization_id
    where dim_tasks.case_id = c.case_id
) as tasks_of_case;

create table fact_cases as select *, now() as loaded_at from case_facts;
alter table fact_cases add unique (id);
create unique index on fact_cases (organization_id, case_id);
create index on fact_cases (organization_id, opened_date_key);
