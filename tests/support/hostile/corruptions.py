"""A mistake for each test that this project wrote itself: wrong rows that only this test finds."""

from __future__ import annotations

from support.reports.corruptions import CORRUPTED_REPORTS, Corruption

# What is changed is compared by no other test, or is changed alike on both sides of the comparison.
CORRUPTIONS = {
    "in_enum": Corruption(
        "known_tokens_in_dim_tasks",
        2,
        """
        with chosen as (select task_id, row_number() over (order by task_id) as number from insights.dim_tasks)
        update insights.dim_tasks as wrong set category = case when number % 2 = 0 then 'question' else 'Incident' end
        from chosen where wrong.task_id = chosen.task_id and number <= 6;
        """,
    ),
    "never_null": Corruption(
        "never_null_in_pattern_kinds",
        4,
        """
        update insights.pattern_kinds set display_name = null, title = null, explanation = null, grouped_by = null
        where kind = 'needs_attention';
        """,
    ),
    "is_key": Corruption(
        "is_key_label_bases_base",
        15,
        # Fourteen numbers that are there twice, and one row without a number.
        """
        insert into insights.label_bases (base, name, is_broadcast)
        select nullif(5000 + number, 5000), 'Copy ' || copy || ' of ' || number, false
        from generate_series(0, 14) as number cross join generate_series(1, 2) as copy
        where number > 0 or copy = 1;
        """,
    ),
    "refers_to": Corruption(
        "references_of_dim_roles",
        16,
        """
        insert into insights.dim_roles
        select (jsonb_populate_record(null::insights.dim_roles, to_jsonb(roles) || jsonb_build_object(
            'role_id', gen_random_uuid(), 'organization_id', gen_random_uuid()
        ))).*
        from (select * from insights.dim_roles limit 1) as roles cross join generate_series(1, 16);
        """,
    ),
    "unique_grain": Corruption(
        "unique_grain_bridge_entity_labels",
        3,
        """
        do $$ declare name text; begin
            select conname into name from pg_constraint
            where conrelid = 'insights.bridge_entity_labels'::regclass and contype = 'p';
            execute format('alter table insights.bridge_entity_labels drop constraint %I', name);
        end $$;
        insert into insights.bridge_entity_labels
        select * from insights.bridge_entity_labels order by entity_type, entity_id, label_id limit 3;
        """,
    ),
    "rows_add_up": Corruption(
        "rows_add_up_fact_wellbeing_checkins",
        19,
        """
        delete from insights.fact_wellbeing_checkins where checkin_id in (
            select checkin_id from insights.fact_wellbeing_checkins order by checkin_id limit 19
        );
        """,
    ),
    "ranks_are_counted": Corruption(
        "ranks_are_counted_tokens",
        1,
        "update insights.tokens set rank = 9 where (enum, token) = ('environment', 'offline');",
    ),
    "means_a_token": Corruption(
        "means_a_token_historical_tokens",
        17,
        """
        insert into insights.historical_tokens (enum, historical_token, token)
        select 'environment', 'former ' || number, 'nowhere' from generate_series(1, 17) as number;
        """,
    ),
    "assert_fact_tasks_recounts": Corruption(
        "assert_fact_tasks_recounts",
        5,
        """
        create temporary table uncounted as
        select
            task_id,
            case
                when comment_count > 0 then 'comment'
                when escalation_count > 0 then 'escalation'
                else 'event'
            end as kind,
            row_number() over (partition by comment_count > 0, escalation_count > 0 order by task_id) as number
        from insights.fact_tasks
        where created_date_key between '2025-03-01' and '2025-03-31' and (comment_count = 0 or escalation_count = 0);
        update insights.fact_tasks as wrong set
            event_count = event_count - (kind = 'event')::int,
            escalation_count = escalation_count - (kind = 'escalation')::int,
            comment_count = comment_count - (kind = 'comment')::int
        from uncounted
        where wrong.task_id = uncounted.task_id and number <= case kind when 'comment' then 1 else 2 end;
        """,
    ),
    "assert_task_cases_are_known": Corruption(
        "assert_task_cases_are_known",
        6,
        # The source changed the case since the load, so rows_add_up leaves it to the next one.
        """
        create temporary table lost as
        select case_id from insights.fact_cases as cases
        where status = 'in_progress' and linked_task_count = 6 and visibility in ('PUBLIC', 'INTERNAL')
            and 6 = (select count(*) from insights.dim_tasks where dim_tasks.case_id = cases.case_id)
        order by case_id limit 1;
        delete from insights.fact_cases where case_id in (select case_id from lost);
        delete from insights.dim_cases where case_id in (select case_id from lost);
        delete from insights_personal.personal_cases where case_id in (select case_id from lost);
        delete from insights.fact_case_business_times where case_id in (select case_id from lost);
        update public.cases set updated_at = '2026-03-01' where id in (select case_id from lost);
        """,
    ),
    "assert_closed_means_closed": Corruption(
        "assert_closed_means_closed",
        7,
        """
        create temporary table kinds as
        select
            task_id,
            case
                when closed_date_key is null then 'open'
                when closed_date_key > created_date_key then 'later'
                else 'same day'
            end as kind,
            row_number() over (
                partition by closed_date_key is null, closed_date_key > created_date_key order by task_id
            ) as number
        from insights.fact_tasks
        where (time_to_completion_seconds is not null or closed_date_key is null) and created_date_key < '2025-06-01';
        update insights.fact_tasks as wrong set
            closed_date_key = case
                when kind = 'open' and number = 1 then created_date_key
                when kind = 'same day' and number = 1 then null
                when kind = 'same day' and number = 2 then created_date_key - 1
                else closed_date_key
            end,
            time_to_completion_seconds = case
                when kind = 'open' and number = 2 then 5
                when kind = 'later' and number = 1 then null
                when kind = 'same day' and number = 1 then null
                else time_to_completion_seconds
            end
        from kinds where wrong.task_id = kinds.task_id and number <= 2;
        with chosen as (
            select case_id, row_number() over (order by case_id) as number
            from insights.fact_cases where status = 'resolved'
        )
        update insights.fact_cases as wrong set closed_date_key = case when number = 1 then opened_date_key - 1 end
        from chosen where wrong.case_id = chosen.case_id and number <= 2;
        """,
    ),
    "assert_facts_match_dimensions": Corruption(
        "assert_facts_match_dimensions",
        8,
        """
        update insights.fact_tasks set priority = case priority when 'LOW' then 'HIGH' else 'LOW' end
        where task_id in (select task_id from insights.fact_tasks order by task_id limit 5);
        update insights.dim_cases set severity = case severity when 'MINOR' then 'MAJOR' else 'MINOR' end
        where case_id in (select case_id from insights.dim_cases where status = 'archived' order by case_id limit 3);
        """,
    ),
    "assert_gone_persons_are_nameless": Corruption(
        "assert_gone_persons_are_nameless",
        9,
        """
        update insights.dim_persons set is_gone = true
        where person_id in (select person_id from insights_personal.personal_persons order by person_id limit 9);
        """,
    ),
    "assert_sensitive_persons_are_protected": Corruption(
        "assert_sensitive_persons_are_protected",
        10,
        """
        create temporary table sensitive as
        select tasks.id as task_id, tasks.case_id, count(*) over (partition by tasks.case_id) as tasks_of_case
        from public.tasks as tasks
        inner join insights.dim_persons as persons on tasks.requester_person_id = persons.person_id
        inner join insights.fact_tasks as facts on tasks.id = facts.task_id
        where persons.confidentiality_level <> 'normal';
        create temporary table exposed as
        (select task_id as key from sensitive where case_id is null order by task_id limit 5)
        union all
        (select case_id as key from sensitive where tasks_of_case = 1 order by case_id limit 2)
        union all
        (select checkin_id as key from insights.fact_wellbeing_checkins order by checkin_id desc limit 3);
        update insights.fact_tasks set visibility = 'INTERNAL' where task_id in (select key from exposed);
        update insights.dim_tasks set visibility = 'INTERNAL' where task_id in (select key from exposed);
        update insights.fact_cases set visibility = 'PUBLIC' where case_id in (select key from exposed);
        update insights.dim_cases set visibility = 'PUBLIC' where case_id in (select key from exposed);
        update insights.fact_wellbeing_checkins set visibility = 'PUBLIC' where checkin_id in (select key from exposed);
        """,
    ),
    "assert_task_events_add_up": Corruption(
        "assert_task_events_add_up",
        11,
        """
        insert into public.task_events (id, task_id, organization_id, event_type, created_at)
        select gen_random_uuid(), gen_random_uuid(), organization_id, 'created', '2025-03-10'
        from insights.dim_organizations cross join generate_series(1, 11)
        order by organization_id limit 11;
        """,
    ),
    **CORRUPTED_REPORTS,
}
