"""The nine empty tables that Orgo's public migrations create under the names of marts (source contract, section 2)."""

STAR_SCHEMA = """
create schema insights;

create table insights.dim_dates (
    date_key date primary key,
    year integer not null,
    quarter integer not null,
    month integer not null,
    month_name text not null,
    week_of_year integer not null,
    day_of_week integer not null,
    day_name text not null,
    is_weekend boolean not null
);

create table insights.dim_organizations (
    organization_id uuid primary key,
    slug text not null,
    display_name text not null,
    org_type text,
    timezone text not null,
    active_from date not null,
    active_to date
);

create table insights.dim_tasks (
    task_id uuid primary key,
    organization_id uuid not null references insights.dim_organizations (organization_id),
    case_id uuid,
    label text not null,
    type text not null,
    category text not null,
    subtype text,
    priority text not null,
    severity text not null,
    visibility text not null,
    source text not null,
    assignee_role text,
    created_at timestamptz not null,
    closed_at timestamptz,
    current_status text not null
);

create table insights.dim_cases (
    case_id uuid primary key,
    organization_id uuid not null references insights.dim_organizations (organization_id),
    label text not null,
    title text not null,
    status text not null,
    severity text not null,
    origin_vertical_level integer not null,
    origin_role text not null,
    opened_at timestamptz not null,
    closed_at timestamptz
);

create table insights.dim_persons (
    person_id uuid primary key,
    organization_id uuid not null references insights.dim_organizations (organization_id),
    full_name text not null,
    external_reference text,
    confidentiality_level text not null
);

create table insights.dim_learning_groups (
    learning_group_id uuid primary key,
    organization_id uuid not null references insights.dim_organizations (organization_id),
    code text not null,
    name text not null,
    category text
);

create table insights.fact_tasks (
    id bigserial primary key,
    task_id uuid not null references insights.dim_tasks (task_id),
    organization_id uuid not null references insights.dim_organizations (organization_id),
    created_date_key date not null references insights.dim_dates (date_key),
    closed_date_key date references insights.dim_dates (date_key),
    current_status text not null,
    priority text not null,
    severity text not null,
    source text not null,
    time_to_first_response_seconds bigint,
    time_to_completion_seconds bigint,
    escalation_count integer not null,
    comment_count integer not null
);

create table insights.fact_cases (
    id bigserial primary key,
    case_id uuid not null references insights.dim_cases (case_id),
    organization_id uuid not null references insights.dim_organizations (organization_id),
    opened_date_key date not null references insights.dim_dates (date_key),
    closed_date_key date references insights.dim_dates (date_key),
    status text not null,
    severity text not null,
    linked_task_count integer not null,
    escalation_count integer not null,
    review_count integer not null
);

create table insights.fact_wellbeing_checkins (
    id bigserial primary key,
    checkin_id uuid not null,
    organization_id uuid not null references insights.dim_organizations (organization_id),
    person_id uuid references insights.dim_persons (person_id),
    learning_group_id uuid references insights.dim_learning_groups (learning_group_id),
    date_key date not null references insights.dim_dates (date_key),
    score integer not null,
    tags text[],
    related_case_id uuid,
    related_task_id uuid
);
"""
