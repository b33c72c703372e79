-- Replaces the cases of a built warehouse by benchmark.cases generated ones, for patterns.py.
-- About ten thousand labels and thirty places, with a skewed distribution as in production. Every case has three sources;
-- 1% of the cases are MAJOR. 30% of the cases of the last two weeks are open, and 0.1% of the earlier ones.
truncate insights.dim_cases, insights.fact_cases, insights_personal.personal_cases;

insert into insights.dim_cases (
    case_id, organization_id, label, label_base, label_category, label_subcategory, label_role, is_label_valid,
    domain, location, visible_domain, is_own_review, status, severity,
    origin_vertical_level, origin_role, opened_at, deadline_at, closed_at, visibility, strictest_visibility, quality_flags,
    loaded_at
)
select
    md5('case ' || n)::uuid,
    organization_id,
    base || '.' || category || subcategory || '.Role ' || role,
    base, category, subcategory, 'Role ' || role, true,
    domain, '{"room": ' || floor(30 * power(random(), 2)) || '}', domain, false,
    case when is_open then 'open' else 'resolved' end,
    case when random() < 0.01 then 'MAJOR' when random() < 0.3 then 'MODERATE' else 'MINOR' end,
    base, 'Role ' || role, opened_at, opened_at + interval '12 hours',
    case when not is_open then opened_at + interval '10 hours' end,
    visibility, visibility, '{}', now()
from
    (select array_agg(organization_id order by organization_id) as ids from insights.dim_organizations) as listed,
    generate_series(1, current_setting('benchmark.cases')::integer) as n
cross join lateral (
    select
        listed.ids[1 + n % cardinality(listed.ids)] as organization_id,
        (array[1, 2, 11, 101, 1001, 10, 100, 1000])[1 + floor(8 * power(random() + 0 * n, 2))::int] as base,
        1 + floor(9 * random() + 0 * n)::int as category,
        1 + floor(5 * random() + 0 * n)::int as subcategory,
        floor(30 * power(random() + 0 * n, 2))::int as role,
        (array['generic', 'maintenance', 'it_support', 'hr_case', 'cleaning'])[
            1 + floor(5 * power(random() + 0 * n, 2))::int
        ] as domain,
        case when random() + 0 * n < 0.1 then 'RESTRICTED' else 'INTERNAL' end as visibility,
        -- From the start of the yearly window.
        timestamptz '2024-01-02 00:00+00' + (random() * 734 + 0 * n) * interval '1 day' as opened_at
    offset 0
) as drawn
cross join lateral (
    select random() < case when opened_at > timestamptz '2025-12-22 00:00+00' then 0.3 else 0.001 end as is_open
    offset 0
) as states;

insert into insights.fact_cases (
    id, case_id, organization_id, opened_date_key, status, severity, linked_task_count, escalation_count, review_count,
    visibility, loaded_at
)
select
    ('x' || left(case_id::text, 8) || right(case_id::text, 8))::bit(64)::bigint, case_id, organization_id,
    (opened_at at time zone 'UTC')::date, status, severity, 1, 0, 0, visibility, loaded_at
from insights.dim_cases;

insert into insights_personal.personal_cases (
    case_id, organization_id, title, source_keys, visible_source_keys, loaded_at
)
select cases.case_id, cases.organization_id, 'A title', drawn.source_keys, drawn.source_keys, cases.loaded_at
from insights.dim_cases as cases
cross join lateral (
    select array[
        'channel:email', 'person:' || floor(200 * random() + 0 * cases.label_base),
        'user:' || floor(50 * random() + 0 * cases.label_base)
    ] as source_keys
    offset 0
) as drawn;
