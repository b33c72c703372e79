"""The tables that Orgo's public migrations create: columns, types and NOT NULLs as deployed databases have them.

Nothing but created_at has a default. A deleted row takes along what cannot be without it, and leaves NULL elsewhere.
"""

OPERATIONAL_TABLES = """
create type "CaseStatus" as enum ('open', 'in_progress', 'resolved', 'archived');
create type "CommentVisibility" as enum ('internal_only', 'requester_visible', 'org_wide');
create type "ConfidentialityLevel" as enum ('normal', 'sensitive', 'highly_sensitive');
create type "LearningGroupMemberRole" as enum ('student', 'player', 'parent', 'coach', 'teacher', 'mentor');
create type "TaskCategory" as enum ('request', 'incident', 'update', 'report', 'distribution');
create type "TaskEventOrigin" as enum ('ui', 'api', 'email', 'system_rule');
create type "TaskEventType" as enum (
    'created', 'status_changed', 'priority_changed', 'ownership_changed', 'comment_added', 'email_linked',
    'escalated', 'deadline_updated', 'metadata_updated'
);
create type "UserAccountStatus" as enum ('active', 'invited', 'disabled');
create type "UserAuthProvider" as enum ('local', 'sso', 'external_only');
create type organization_status_enum as enum ('active', 'suspended', 'archived');
create type task_priority_enum as enum ('LOW', 'MEDIUM', 'HIGH', 'CRITICAL');
create type task_severity_enum as enum ('MINOR', 'MODERATE', 'MAJOR', 'CRITICAL');
create type task_source_enum as enum ('email', 'api', 'manual', 'sync');
create type task_status_enum as enum (
    'PENDING', 'IN_PROGRESS', 'ON_HOLD', 'COMPLETED', 'FAILED', 'ESCALATED', 'CANCELLED'
);
create type visibility_enum as enum ('PUBLIC', 'INTERNAL', 'RESTRICTED', 'ANONYMISED');

create table organizations (
    id uuid primary key,
    slug text not null,
    display_name text not null,
    legal_name text,
    primary_domain text,
    status organization_status_enum not null,
    timezone text not null,
    default_locale text not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null
);

create table organization_profiles (
    id uuid primary key,
    organization_id uuid not null references organizations (id) on delete cascade,
    profile_code text not null,
    reactivity_profile jsonb not null,
    transparency_profile jsonb not null,
    pattern_sensitivity_profile jsonb not null,
    retention_profile jsonb not null,
    version integer not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null
);

create table user_accounts (
    id uuid primary key,
    organization_id uuid not null references organizations (id) on delete cascade,
    email text not null,
    display_name text not null,
    password_hash text,
    auth_provider "UserAuthProvider" not null,
    status "UserAccountStatus" not null,
    locale text,
    timezone text,
    last_login_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null
);

create table person_profiles (
    id uuid primary key,
    organization_id uuid not null references organizations (id) on delete cascade,
    linked_user_id uuid references user_accounts (id) on delete set null,
    external_reference text,
    full_name text not null,
    date_of_birth date,
    primary_contact_email text,
    primary_contact_phone text,
    confidentiality_level "ConfidentialityLevel" not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null
);

create table roles (
    id uuid primary key,
    organization_id uuid references organizations (id) on delete set null,
    code text not null,
    display_name text not null,
    description text not null,
    is_system_role boolean not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null
);

create table label_definitions (
    id uuid primary key,
    organization_id uuid references organizations (id) on delete set null,
    code text not null,
    display_name text not null,
    description text not null,
    category text not null,
    color_hint text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null
);

create table entity_labels (
    id uuid primary key,
    organization_id uuid not null references organizations (id) on delete cascade,
    label_id uuid not null references label_definitions (id) on delete cascade,
    entity_type text not null,
    entity_id uuid not null,
    applied_by_user_id uuid references user_accounts (id) on delete set null,
    applied_at timestamptz not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null
);

create table learning_groups (
    id uuid primary key,
    organization_id uuid not null references organizations (id) on delete cascade,
    external_id text,
    code text not null,
    name text not null,
    description text,
    metadata jsonb,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null
);

create table learning_group_memberships (
    id uuid primary key,
    learning_group_id uuid not null references learning_groups (id) on delete cascade,
    person_id uuid not null references person_profiles (id) on delete cascade,
    role "LearningGroupMemberRole" not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null
);

create table cases (
    id uuid primary key,
    organization_id uuid not null references organizations (id) on delete cascade,
    source_type task_source_enum not null,
    source_reference text,
    label text not null,
    title text not null,
    description text not null,
    status "CaseStatus" not null,
    severity task_severity_enum not null,
    reactivity_time interval,
    origin_vertical_level integer not null,
    origin_role text not null,
    tags text[],
    location jsonb not null,
    metadata jsonb not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null
);

create table tasks (
    id uuid primary key,
    organization_id uuid not null references organizations (id) on delete cascade,
    case_id uuid references cases (id) on delete set null,
    external_reference text,
    type text not null,
    category "TaskCategory" not null,
    subtype text,
    label text not null,
    title text not null,
    description text not null,
    status task_status_enum not null,
    priority task_priority_enum not null,
    severity task_severity_enum not null,
    visibility visibility_enum not null,
    source task_source_enum not null,
    created_by_user_id uuid references user_accounts (id) on delete set null,
    requester_person_id uuid references person_profiles (id) on delete set null,
    owner_role_id uuid references roles (id) on delete set null,
    owner_user_id uuid references user_accounts (id) on delete set null,
    assignee_role text,
    reactivity_time interval,
    reactivity_deadline_at timestamptz,
    due_at timestamptz,
    escalation_level integer not null,
    closed_at timestamptz,
    metadata jsonb not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null
);

create table task_events (
    id uuid primary key,
    task_id uuid not null references tasks (id) on delete cascade,
    organization_id uuid not null references organizations (id) on delete cascade,
    event_type "TaskEventType" not null,
    old_value jsonb,
    new_value jsonb,
    actor_user_id uuid references user_accounts (id) on delete set null,
    actor_role_id uuid references roles (id) on delete set null,
    origin "TaskEventOrigin" not null,
    created_at timestamptz not null default now()
);

create table task_comments (
    id uuid primary key,
    task_id uuid not null references tasks (id) on delete cascade,
    author_user_id uuid references user_accounts (id) on delete set null,
    visibility "CommentVisibility" not null,
    body text not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null
);

create table task_assignments (
    id uuid primary key,
    task_id uuid not null references tasks (id) on delete cascade,
    assigned_role_id uuid references roles (id) on delete set null,
    assigned_user_id uuid references user_accounts (id) on delete set null,
    is_primary boolean not null,
    assigned_at timestamptz not null,
    unassigned_at timestamptz,
    assignment_reason text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null
);

create table wellbeing_checkins (
    id uuid primary key,
    organization_id uuid not null references organizations (id) on delete cascade,
    person_id uuid not null references person_profiles (id) on delete cascade,
    case_id uuid references cases (id) on delete set null,
    score integer not null,
    comment text,
    tags text[],
    context jsonb,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null
);
"""
