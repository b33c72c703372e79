"""Rules for values that show data to everybody, give a role the rights of a superuser, or keep a secret in a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from orchestration.config.addresses import is_unencrypted
from orchestration.config.expansion import REFERENCE, expand
from orchestration.config.masking import has_password, is_secret_key, shown
from orchestration.config.problems import KeyPath, Problem, dotted
from orchestration.config.rule import Rule, path
from orchestration.config.rules import finding
from orchestration.config.settings import Settings

EVERY_ROLE = "*"
# The superuser that initdb creates, and administrators of managed services. PostgreSQL's own names begin with pg_.
ADMINISTRATORS = {
    *("postgres", "rdsadmin", "rds_superuser", "cloudsqladmin", "cloudsqlsuperuser", "azuresu", "azure_pg_admin"),
}

_MASKING = path("insights.exports.pii_masking_enabled")
_EXPORT_URL, _WAREHOUSE_URL = path("insights.exports.connection_url"), path("insights.warehouse.connection_url")
_SUFFIXES = {"read_only_user": "ro", "write_user": "etl", "export_user": "export"}
_USERS = tuple(path(f"insights.warehouse.{name}") for name in _SUFFIXES)
_STRICT_ROLES = tuple(path(f"insights.access.{name}") for name in ("restricted_roles", "anonymised_roles"))
_PROCESS, _ROLE = path("insights.warehouse.max_reader_connections"), path("insights.warehouse.reader_limits")
_SUPERUSERS = path("insights.reports_api.superuser_roles")
_THREADS = path("insights.reports_api.threads")
_RECIPIENTS = path("insights.digests.recipients")
# The values that the settings keep as the file has them, with the variable that the shipped file reads instead.
_SECRETS = {
    _WAREHOUSE_URL: "INSIGHTS_WAREHOUSE_URL",
    _EXPORT_URL: "INSIGHTS_EXPORT_WAREHOUSE_URL",
    path("insights.cache.url"): "INSIGHTS_REDIS_URL",
    path("insights.reviews.url"): "INSIGHTS_CORE_API_URL",
    path("insights.reviews.token"): "INSIGHTS_CORE_API_TOKEN",
    path("insights.alerts.webhook_url"): "INSIGHTS_ALERT_WEBHOOK_URL",
    path("insights.alerts.smtp_url"): "INSIGHTS_ALERT_SMTP_URL",
}


def exposures(environ: Mapping[str, str]) -> list[Rule]:
    """Return the rules that find values which show too much, allow too much, or are secrets."""
    return [
        Rule(_personal_columns_are_masked, (_MASKING,)),
        Rule(partial(_exports_have_their_role, environ), (_EXPORT_URL, _WAREHOUSE_URL)),
        *(Rule(partial(_is_no_administrator, where), (where,)) for where in _USERS),
        *(Rule(partial(_is_not_every_role, where), (where,)) for where in _STRICT_ROLES),
        Rule(_superusers_are_named, (_SUPERUSERS,)),
        Rule(_one_process_fits, (_PROCESS, (*_ROLE, "connections"))),
        Rule(_the_service_fits, (_THREADS, (*_ROLE, "connections"))),
        *(Rule(partial(_is_no_secret, where, name), (where,)) for where, name in _SECRETS.items()),
        Rule(_webhooks_of_digests_are_no_secrets, (_RECIPIENTS,)),
        Rule(_webhooks_of_digests_are_encrypted, (_RECIPIENTS,)),
        Rule(_roles_of_digests_are_codes, (_RECIPIENTS,)),
    ]


def _personal_columns_are_masked(settings: Settings) -> Iterator[Problem]:
    if settings.environment == "prod" and not settings.insights.exports.pii_masking_enabled:
        says = "exports of prod contain names, titles and references of persons as they are; write true"
        yield finding(settings, "warning", _MASKING, "false", says)


def _exports_have_their_role(environ: Mapping[str, str], settings: Settings) -> Iterator[Problem]:
    warehouse, exports = settings.insights.warehouse.connection_url, settings.insights.exports.connection_url
    is_used = not expand(warehouse, environ)[1]
    if settings.environment == "prod" and is_used and expand(exports, environ)[1]:
        says = (
            "without an address of their own, exports of prod run as the role that loads, which reads names; insights"
            f" init creates a role for them: export {_SECRETS[_EXPORT_URL]} (docs/exports.md)"
        )
        yield finding(settings, "warning", _EXPORT_URL, shown("", exports), says)


def _is_no_administrator(where: KeyPath, settings: Settings) -> Iterator[Problem]:
    role: str = getattr(settings.insights.warehouse, str(where[-1]))
    if role in ADMINISTRATORS or role.startswith("pg_"):
        says = (
            "is an administrator of the server or a role of PostgreSQL, which the grants of insights init do not"
            f" restrict; name a role of its own, such as orgo_insights_{_SUFFIXES[str(where[-1])]}"
        )
        yield finding(settings, "error", where, role, says)


def _is_not_every_role(where: KeyPath, settings: Settings) -> Iterator[Problem]:
    roles: list[str] = getattr(settings.insights.access, str(where[-1]))
    visibility = "RESTRICTED" if where[-1] == "restricted_roles" else "ANONYMISED"
    for index, role in enumerate(roles):
        if role == EVERY_ROLE:
            says = f"shows {visibility} analytics to every role of every organization; name the codes of the roles"
            yield finding(settings, "warning", (*where, index), shown("", role), says)


def _superusers_are_named(settings: Settings) -> Iterator[Problem]:
    if EVERY_ROLE in settings.insights.reports_api.superuser_roles:
        says = "shows every organization to every role; name the codes of the roles"
        yield finding(settings, "error", _SUPERUSERS, EVERY_ROLE, says)


def _one_process_fits(settings: Settings) -> Iterator[Problem]:
    warehouse = settings.insights.warehouse
    if warehouse.max_reader_connections > (most := warehouse.reader_limits.connections):
        says = f"must be at most reader_limits.connections ({most}), the limit of all processes together"
        yield finding(settings, "error", _PROCESS, warehouse.max_reader_connections, says)


def _the_service_fits(settings: Settings) -> Iterator[Problem]:
    threads, most = settings.insights.reports_api.threads, settings.insights.warehouse.reader_limits.connections
    if threads >= most:
        says = f"must be below reader_limits.connections ({most}): each thread has a connection, and readiness another"
        yield finding(settings, "error", _THREADS, threads, says)


def _is_no_secret(where: KeyPath, variable: str, settings: Settings) -> Iterator[Problem]:
    section = getattr(settings.insights, str(where[1]))
    text: str = getattr(section, str(where[2]))
    is_secret = bool(REFERENCE.sub("", text)) if is_secret_key(dotted(where)) else has_password(text)
    if is_secret:
        says = f'a secret in a file is read by everybody who reads the repository; write "${{{variable}}}"'
        says += f" and export {variable}, and change the secret"
        yield finding(settings, "warning", where, shown(dotted(where), text), says)


def _webhooks_of_digests_are_no_secrets(settings: Settings) -> Iterator[Problem]:
    for index, recipient in enumerate(settings.insights.digests.recipients):
        where = (*_RECIPIENTS, index, "webhook_url")
        if recipient.webhook_url and REFERENCE.sub("", recipient.webhook_url):
            says = "anyone with this address can write there; write ${NAME}, export NAME, and change the secret"
            yield finding(settings, "warning", where, shown(dotted(where), recipient.webhook_url), says)


def _webhooks_of_digests_are_encrypted(settings: Settings) -> Iterator[Problem]:
    for index, recipient in enumerate(settings.insights.digests.recipients):
        url = recipient.webhook_url or ""
        begins = url.lower().startswith(("https://", "http://", "${"))
        if url and (not begins or is_unencrypted(url)):
            where = (*_RECIPIENTS, index, "webhook_url")
            yield finding(settings, "error", where, shown(dotted(where), url), "must begin with https://")


def _roles_of_digests_are_codes(settings: Settings) -> Iterator[Problem]:
    for index, recipient in enumerate(settings.insights.digests.recipients):
        for number, role in enumerate(recipient.roles):
            if not role.strip() or role == EVERY_ROLE:
                says = "is not a role code; wildcards are allowed in access only"
                yield finding(settings, "error", (*_RECIPIENTS, index, "roles", number), shown("", role), says)
