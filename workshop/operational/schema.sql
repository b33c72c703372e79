-- Orgo's operational tables as the source contract defines them, for the demo, the tests, the benchmarks and the
-- incident import. A deployed Orgo database already has them: never run this file against one.
-- Every statement is idempotent.

do $$
begin
    if to_regtype('task_status') is null then
        create type task_status as enum (
            'PENDING', 'IN_PROGRESS', 'ON_HOLD', 'COMPLETED', 'FAILED', 'ESCALATED', 'CANCELLED'
        );
        create type task_priority as enum ('LOW', 'MEDIUM', 'HIGH', 'CRITICAL');
        create type task_severity as enum ('MINOR', 'MODERATE', 'MAJOR', 'CRITICAL');
        create type visibility as enum ('PUBLIC', 'INTERNAL', 'RESTRICTED', 'ANONYMISED');
        create type task_category as enum ('request', 'incident', 'update', 'report', 'distribution');
        create type task_source as enum ('email', 'api', 'manual', 'sync');
        create type case_status as enum ('open', 'in_progress', 'resolved', 'archived');
        create type organization_status as enum ('active', 'suspended', 'archived');
        create type confidentiality_level as enum ('normal', 'sensitive', 'highly_sensitive');
        create type comment_visibility as enum ('internal_only', 'requester_visible', 'org_wide');
        create type event_origin as enum ('ui', 'api', 'email', 'system_rule');
        create type labelled_entity as enum ('task', 'case', 'person', 'learning_group');
        create type task_event_type as enum (
            'created', 'status_changed', 'priority_changed', 'ownership_changed', 'comment_added', 'email_linked',
            'escalated', 'deadline_updated', 'metadata_updated'
        );
    end if;
end
$$;

create table if not exists organizations (
    id uuid primary key,
    slug text not null unique,
    display_name text not null,
    legal_name text,
    primary_domain text,
    status organization_status not null default 'active',
    timezone text not null default 'UTC',
    default_locale text not null default 'en',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create table if not exists organization_profiles (
    id uuid primary key,
    organization_id uuid not null unique references organizations (id),
    profile_code text not null,
    reactivity_profile jsonb not null default '{}',
    transparency_profile jsonb not null default '{}',
    pattern_sensitivity_profile jsonb not null default '{}',
    retention_profile jsonb not null default '{}',
    version int not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create table if not exists user_accounts (
    id uuid primary key,
    organization_id uuid not null references organizations (id),
    email text not null,
    display_name text not null,
    status text not null default 'active',
    last_login_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create table if not exists person_profiles (
    id uuid primary key,
    organization_id uuid not null references organizations (id),
    linked_user_id uuid references user_accounts (id),
    external_reference text,
    full_name text not null,
    date_of_birth date,
    primary_contact_email text,
    primary_contact_phone text,
    confidentiality_level confidentiality_level not null default 'normal',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create table if not exists roles (
    id uuid primary key,
    organization_id uuid references organizations (id),
    code text not null,
    display_name text not null,
    description text not null default '',
    is_system_role boolean not null default false,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create table if not exists cases (
    id uuid primary key,
    organization_id uuid not null references organizations (id),
    source_type task_source not null,
    source_reference text,
    label text not null,
    title text not null,
    description text not null default '',
    status case_status not null default 'open',
    severity task_severity not null default 'MINOR',
    reactivity_time interval,
    origin_vertical_level int not null,
    origin_role text not null,
    tags text[],
    location jsonb not null default '{}',
    metadata jsonb not null default '{}',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create table if not exists tasks (
    id uuid primary key,
    organization_id uuid not null references organizations (id),
    case_id uuid references cases (id),
    type text not null,
    category task_category not null,
    subtype text,
    label text not null,
    title text not null,
    description text not null default '',
    status task_status not null default 'PENDING',
    priority task_priority not null default 'MEDIUM',
    severity task_severity not null default 'MINOR',
    visibility visibility not null default 'INTERNAL',
    source task_source not null,
    created_by_user_id uuid references user_accounts (id),
    requester_person_id uuid references person_profiles (id),
    owner_role_id uuid references roles (id),
    owner_user_id uuid references user_accounts (id),
    assignee_role text,
    reactivity_time interval,
    reactivity_deadline_at timestamptz,
    due_at timestamptz,
    escalation_level int not null default 0,
    closed_at timestamptz,
    metadata jsonb not null default '{}',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create index if not exists tasks_changed_at on tasks (greatest(created_at, updated_at));
create index if not exists tasks_case_id on tasks (case_id);

create table if not exists task_events (
    id uuid primary key,
    task_id uuid not null references tasks (id),
    organization_id uuid not null references organizations (id),
    event_type task_event_type not null,
    old_value jsonb,
    new_value jsonb,
    actor_user_id uuid references user_accounts (id),
    actor_role_id uuid references roles (id),
    origin event_origin not null default 'ui',
    created_at timestamptz not null default now()
);
create index if not exists task_events_task_id on task_events (task_id);
create index if not exists task_events_created_at on task_events (created_at);

create table if not exists task_comments (
    id uuid primary key,
    task_id uuid not null references tasks (id),
    author_user_id uuid references user_accounts (id),
    visibility comment_visibility not null default 'internal_only',
    body text not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create index if not exists task_comments_task_id on task_comments (task_id);
create index if not exists task_comments_changed_at on task_comments (greatest(created_at, updated_at));

create table if not exists task_assignments (
    id uuid primary key,
    task_id uuid not null references tasks (id),
    assigned_role_id uuid references roles (id),
    assigned_user_id uuid references user_accounts (id),
    is_primary boolean not null default true,
    assigned_at timestamptz not null default now(),
    unassigned_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create table if not exists label_definitions (
    id uuid primary key,
    organization_id uuid references organizations (id),
    code text not null,
    display_name text not null,
    description text not null default '',
    category text not null,
    color_hint text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create table if not exists entity_labels (
    id uuid primary key,
    organization_id uuid not null references organizations (id),
    label_id uuid not null references label_definitions (id),
    entity_type labelled_entity not null,
    entity_id uuid not null,
    applied_at timestamptz not null default now(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create table if not exists wellbeing_checkins (
    id uuid primary key,
    organization_id uuid not null references organizations (id),
    person_id uuid references person_profiles (id),
    submitted_by_user_id uuid references user_accounts (id),
    context text not null,
    score int not null check (score between 1 and 10),
    tags text[],
    notes text,
    related_task_id uuid references tasks (id),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create table if not exists learning_groups (
    id uuid primary key,
    organization_id uuid not null references organizations (id),
    code text not null,
    name text not null,
    description text,
    category text not null,
    advisor_role_id uuid references roles (id),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create table if not exists learning_group_memberships (
    id uuid primary key,
    learning_group_id uuid not null references learning_groups (id),
    person_id uuid not null references person_profiles (id),
    role text not null,
    joined_at timestamptz not null default now(),
    left_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
