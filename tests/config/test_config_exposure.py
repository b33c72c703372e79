"""Values that show data to everybody, name a superuser, or keep a secret in the file are reported with their line."""

from __future__ import annotations

import pytest
from support.config_project import CONFIG, ConfigProject

pytest_plugins = ["support.config.project_copy"]

ERRORS = [
    (
        "write_user: orgo_insights_etl",
        "write_user: postgres",
        "insights.warehouse.write_user is postgres: is an administrator of the server or a role of PostgreSQL, which"
        " the grants of insights init do not restrict; name a role of its own, such as orgo_insights_etl",
    ),
    (
        "read_only_user: orgo_insights_ro",
        "read_only_user: pg_read_all_data",
        "insights.warehouse.read_only_user is pg_read_all_data: is an administrator of the server or a role of"
        " PostgreSQL, which the grants of insights init do not restrict; name a role of its own, such as"
        " orgo_insights_ro",
    ),
    (
        "export_user: orgo_insights_export",
        "export_user: azuresu",
        "insights.warehouse.export_user is azuresu: is an administrator of the server or a role of PostgreSQL, which"
        " the grants of insights init do not restrict; name a role of its own, such as orgo_insights_export",
    ),
    (
        "max_reader_connections: 8",
        "max_reader_connections: 41",
        "insights.warehouse.max_reader_connections is 41: must be at most reader_limits.connections (40), the limit of"
        " all processes together",
    ),
    (
        "threads: 8",
        "threads: 40",
        "insights.reports_api.threads is 40: must be below reader_limits.connections (40): each thread has a"
        " connection, and readiness another",
    ),
    (
        "superuser_roles: []",
        'superuser_roles: [operator, "*"]',
        "insights.reports_api.superuser_roles is *: shows every organization to every role; name the codes of"
        " the roles",
    ),
]
ADVICE = "a secret in a file is read by everybody who reads the repository; write"
WARNINGS = [
    (
        "pii_masking_enabled: true",
        "pii_masking_enabled: false",
        "insights.exports.pii_masking_enabled is false: exports of prod contain names, titles and references of persons"
        " as they are; write true",
    ),
    (
        "restricted_roles: []",
        'restricted_roles: ["*"]',
        'insights.access.restricted_roles.0 is "*": shows RESTRICTED analytics to every role of every organization;'
        " name the codes of the roles",
    ),
    (
        "anonymised_roles: []",
        'anonymised_roles: [analyst, "*"]',
        'insights.access.anonymised_roles.1 is "*": shows ANONYMISED analytics to every role of every organization;'
        " name the codes of the roles",
    ),
    (
        'token: "${INSIGHTS_CORE_API_TOKEN}"',
        "token: tok-1234",
        f'insights.reviews.token is ***: {ADVICE} "${{INSIGHTS_CORE_API_TOKEN}}" and export INSIGHTS_CORE_API_TOKEN,'
        " and change the secret",
    ),
    (
        'url: "${INSIGHTS_CORE_API_URL}"',
        'url: "https://core.example.org/cases?token=tok-1234"',
        'insights.reviews.url is "https://core.example.org/cases?token=***": '
        f'{ADVICE} "${{INSIGHTS_CORE_API_URL}}" and export INSIGHTS_CORE_API_URL, and change the secret',
    ),
    (
        'webhook_url: "${INSIGHTS_ALERT_WEBHOOK_URL}"',
        "webhook_url: https://chat.example.org/hooks/tok-1234",
        f'insights.alerts.webhook_url is ***: {ADVICE} "${{INSIGHTS_ALERT_WEBHOOK_URL}}" and export'
        " INSIGHTS_ALERT_WEBHOOK_URL, and change the secret",
    ),
    (
        'smtp_url: "${INSIGHTS_ALERT_SMTP_URL}"',
        'smtp_url: "smtp://insights:tok-1234@mail.example.org"',
        f'insights.alerts.smtp_url is "smtp://insights:***@mail.example.org": {ADVICE}'
        ' "${INSIGHTS_ALERT_SMTP_URL}" and export INSIGHTS_ALERT_SMTP_URL, and change the secret',
    ),
    (
        'connection_url: "${INSIGHTS_WAREHOUSE_URL}"',
        'connection_url: "postgresql://etl:tok-1234@${HOST}/orgo"',
        f'insights.warehouse.connection_url is "postgresql://etl:***@${{HOST}}/orgo": {ADVICE}'
        ' "${INSIGHTS_WAREHOUSE_URL}" and export INSIGHTS_WAREHOUSE_URL, and change the secret',
    ),
    (
        'url: "${INSIGHTS_REDIS_URL}"',
        'url: "redis://:tok-1234@cache.example.org"',
        f'insights.cache.url is "redis://:***@cache.example.org": {ADVICE} "${{INSIGHTS_REDIS_URL}}" and export'
        " INSIGHTS_REDIS_URL, and change the secret",
    ),
]
# What looks similar and is right.
SILENT = [
    ("write_user: orgo_insights_etl", "write_user: postgres_etl"),
    ("max_reader_connections: 8", "max_reader_connections: 40"),
    ("restricted_roles: []", "restricted_roles: [auditor]"),
    ('connection_url: "${INSIGHTS_WAREHOUSE_URL}"', 'connection_url: "postgresql://etl:${PASSWORD}@h:5432/orgo"'),
    ('connection_url: "${INSIGHTS_WAREHOUSE_URL}"', 'connection_url: "postgresql://etl@h:5432/orgo"'),
    ('url: "${INSIGHTS_REDIS_URL}"', 'url: "redis://cache.example.org:6379/0"'),
    ('token: "${INSIGHTS_CORE_API_TOKEN}"', 'token: "${A}${B}"'),
]


def test_a_role_that_nothing_restricts_and_too_many_connections_are_errors(project: ConfigProject) -> None:
    said = {f"{CONFIG}:{project.edit(old, new)}: {says}" for old, new, says in ERRORS}
    assert set(project.said()) == said


@pytest.mark.parametrize(("old", "new", "says"), WARNINGS, ids=[new[:30] for _, new, _ in WARNINGS])
def test_what_shows_too_much_or_is_a_secret_is_a_warning(project: ConfigProject, old: str, new: str, says: str) -> None:
    before = set(project.said("warning"))
    line = project.edit(old, new)
    assert set(project.said("warning")) - before == {f"{CONFIG}:{line}: {says}"}
    assert project.said() == []
    assert "tok-1234" not in "".join(map(str, project.check().problems))


def test_masks_may_be_off_where_it_is_not_prod(project: ConfigProject) -> None:
    before = project.said("warning", "staging")
    project.edit("pii_masking_enabled: true", "pii_masking_enabled: false")
    assert project.said("warning", "staging") == before


@pytest.mark.parametrize(("old", "new"), SILENT, ids=[new[:40] for _, new in SILENT])
def test_what_is_right_is_not_reported(project: ConfigProject, old: str, new: str) -> None:
    exports = {"INSIGHTS_EXPORT_WAREHOUSE_URL": "postgresql://export@h/orgo"}
    before = project.said("warning", **exports)
    project.edit(old, new)
    assert (project.said("warning", **exports), project.said()) == (before, [])


def test_exports_of_prod_without_a_role_of_their_own_are_a_warning(project: ConfigProject) -> None:
    loads, exports = {"INSIGHTS_WAREHOUSE_URL": "postgresql://etl@h/orgo"}, "postgresql://export@h/orgo"
    says = (
        f"{CONFIG}:{project.line_of('${INSIGHTS_EXPORT_WAREHOUSE_URL}')}: insights.exports.connection_url is"
        ' "${INSIGHTS_EXPORT_WAREHOUSE_URL}": without an address of their own, exports of prod run as the role that'
        " loads, which reads names; insights init creates a role for them: export INSIGHTS_EXPORT_WAREHOUSE_URL"
        " (docs/exports.md)"
    )
    assert says in project.said("warning", **loads)
    quiet = [("staging", loads), ("prod", {}), ("prod", loads | {"INSIGHTS_EXPORT_WAREHOUSE_URL": exports})]
    assert not any(says in project.said("warning", env, **variables) for env, variables in quiet)
