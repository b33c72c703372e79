"""Rules for values that must be consistent with each other, in the files and the environment, in every ENVIRONMENT."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial

from orchestration.config.addresses import is_unencrypted
from orchestration.config.engines.rules import SUFFIXES, engine_rules
from orchestration.config.expansion import expand
from orchestration.config.exposure import EVERY_ROLE, exposures
from orchestration.config.masking import shown
from orchestration.config.model import silent_hours
from orchestration.config.problems import KeyPath, Problem, closest, dotted, nearest
from orchestration.config.rule import Rule, fits, path
from orchestration.config.rules import finding, place_of
from orchestration.config.settings import Settings
from orchestration.config.tokens import WATCHED
from orchestration.flows import FLOWS

NAME_LENGTH = 63
SUFFIX = max(SUFFIXES, key=len)
_NAMED = {
    path("insights.exports.scheduled"): "names two scheduled exports, whose files would be the same",
    path("insights.digests.recipients"): "names two recipients, and only one of them would get its digests",
}
_ACCESS: KeyPath = ("insights", "access")
# Pairs of roles that must differ.
_USERS = tuple(
    (path(f"insights.warehouse.{user}"), path(f"insights.warehouse.{other}"))
    for user, other in (
        ("read_only_user", "write_user"),
        ("export_user", "write_user"),
        ("export_user", "read_only_user"),
    )
)
AS_ROWS = ("PUBLIC", "INTERNAL")
EVERY_OTHER_DOMAIN = "*"
LONGEST_DOMAIN = 255  # characters; reports cut longer types, and the domain is part of a key (decision D131)


def contradictions(settings: Settings, environ: Mapping[str, str]) -> list[Rule]:
    """Return the rules that find contradictory and unsupported values."""
    profiles: KeyPath = ("profiles",)
    default_key, overrides = (
        path("insights.patterns.default_profile_key"),
        path("insights.patterns.overrides_by_domain"),
    )
    schema, source = path("insights.warehouse.schema_name"), path("insights.source.schema_name")
    return [
        Rule(_default_profile_exists, (default_key, profiles)),
        Rule(_profiles_of_domains_exist, (overrides, profiles)),
        Rule(_domains_are_possible, (overrides,)),
        Rule(partial(_profile_of_the_environment_exists, environ), (profiles,)),
        *_agreements(settings),
        *engine_rules(environ),
        *(Rule(partial(_users_differ, *two), two) for two in _USERS),
        Rule(_schemas_differ, (schema, source)),
        Rule(_derived_names_fit, (schema,)),
        Rule(_batches_fit, (path("insights.etl.default_batch_size"), path("insights.etl.max_batch_size"))),
        *(
            Rule(partial(_access_nests, narrow, wide), ((*_ACCESS, narrow), (*_ACCESS, wide)))
            for narrow, wide in (("restricted_roles", "internal_roles"), ("internal_roles", "public_roles"))
        ),
        Rule(partial(_token_is_encrypted, environ), (path("insights.reviews.url"), path("insights.reviews.token"))),
        Rule(_exports_keep_rows_back, (path("insights.exports.allowed_visibilities"),)),
        *(Rule(partial(_names_differ, where, says), (where,)) for where, says in _NAMED.items()),
        Rule(_digests_go_one_way, (path("insights.digests.recipients"),)),
        Rule(_dags_have_flows, (("dags",),)),
        Rule(_dag_ids_differ, (("dags",),)),
        Rule(
            _stale_comes_before_stopped,
            tuple(
                path(f"insights.etl.{name}") for name in ("source_stale_hours", "source_stopped_hours", "source_hours")
            ),
        ),
        *exposures(environ),
    ]


def _default_profile_exists(settings: Settings) -> Iterator[Problem]:
    where = path("insights.patterns.default_profile_key")
    yield from _profile_exists(settings, where, settings.insights.patterns.default_profile_key)


def _profiles_of_domains_exist(settings: Settings) -> Iterator[Problem]:
    for domain, profile in settings.insights.patterns.overrides_by_domain.items():
        yield from _profile_exists(settings, (*path("insights.patterns.overrides_by_domain"), domain), profile)


def _domains_are_possible(settings: Settings) -> Iterator[Problem]:
    """Check that a task can have each domain as its type, which is trimmed when it is loaded."""
    where = path("insights.patterns.overrides_by_domain")
    for domain in settings.insights.patterns.overrides_by_domain:
        if says := _impossible(domain):
            yield replace(finding(settings, "error", (*where, domain), "", says), value=None)


def _impossible(domain: str) -> str | None:
    if domain == EVERY_OTHER_DOMAIN:
        return "stands for all domains without an override; set patterns.default_profile_key instead"
    if domain != domain.strip(" ") or not domain:
        return "a domain must not be empty, nor begin or end with a space"
    if not domain.isprintable():
        return "a domain must not have line ends, control characters or invisible marks"
    if len(domain) > LONGEST_DOMAIN:
        return f"a domain must have at most {LONGEST_DOMAIN} characters"
    return None


def _profile_exists(settings: Settings, where: KeyPath, profile: str) -> Iterator[Problem]:
    if profile not in settings.profiles:
        yield finding(settings, "error", where, shown("", profile), _no_profile(settings, profile))


def _profile_of_the_environment_exists(environ: Mapping[str, str], settings: Settings) -> Iterator[Problem]:
    name = "INSIGHTS_DEFAULT_PROFILE_KEY"
    given = environ.get(name)
    if given and given not in settings.profiles:
        yield Problem("error", _no_profile(settings, given), "environment", key=name, value=shown("", given))


def _no_profile(settings: Settings, profile: str) -> str:
    known = ", ".join(settings.profiles) or "none"
    return f"there is no such profile.{nearest(profile, settings.profiles)} The profiles file has: {known}"


def _agreements(settings: Settings) -> Iterator[Rule]:
    """Yield rules that warn if a profile contradicts its threshold_triggers, which take precedence (decision D3)."""
    for name in settings.profiles if fits(settings, ("profiles",)) else ():
        for key, trigger in (("pattern_window_days", "window_days"), ("pattern_min_events", "min_events")):
            wins = ("profiles", name, "cyclic_overview", "threshold_triggers", "incident_frequency", trigger)
            yield Rule(partial(_profile_agrees_with_itself, name, key, trigger), (("profiles", name, key), wins))


def _profile_agrees_with_itself(name: str, key: str, trigger: str, settings: Settings) -> Iterator[Problem]:
    profile = settings.profiles[name]
    value = getattr(profile, key)
    counts = getattr(profile.cyclic_overview.threshold_triggers.incident_frequency, trigger)
    if value != counts:
        says = f"threshold_triggers.incident_frequency.{trigger} is {counts} and takes precedence; make them equal"
        yield finding(settings, "warning", ("profiles", name, key), value, says)


def _users_differ(where: KeyPath, other: KeyPath, settings: Settings) -> Iterator[Problem]:
    warehouse = settings.insights.warehouse
    user, same = getattr(warehouse, str(where[-1])), getattr(warehouse, str(other[-1]))
    if user == same:
        reason = (
            "a reader must not be able to write"
            if where[-1] == "read_only_user"
            else "exports have rights of their own"
        )
        yield finding(settings, "error", where, user, f"must differ from warehouse.{other[-1]}: {reason}")


def _schemas_differ(settings: Settings) -> Iterator[Problem]:
    schema = settings.insights.warehouse.schema_name
    if schema == settings.insights.source.schema_name:
        says = "must differ from source.schema: the marts would be built among the operational tables"
        yield finding(settings, "error", path("insights.warehouse.schema"), schema, says)


def _derived_names_fit(settings: Settings) -> Iterator[Problem]:
    """Check that PostgreSQL does not cut the names of the schemas that begin with that of the marts."""
    schema = settings.insights.warehouse.schema_name
    longest = NAME_LENGTH - len(SUFFIX)
    if len(schema) > longest:
        says = f"must have at most {longest} characters: PostgreSQL would cut {schema}{SUFFIX} to {NAME_LENGTH}"
        yield finding(settings, "error", path("insights.warehouse.schema"), schema, says)


def _batches_fit(settings: Settings) -> Iterator[Problem]:
    etl = settings.insights.etl
    if etl.default_batch_size > etl.max_batch_size:
        says = f"must be at most etl.max_batch_size ({etl.max_batch_size})"
        yield finding(settings, "error", path("insights.etl.default_batch_size"), etl.default_batch_size, says)


def _access_nests(narrow: str, wide: str, settings: Settings) -> Iterator[Problem]:
    """Check that a role that may see a strict visibility may also see the wider ones (section 2.5)."""
    roles, allowed = getattr(settings.insights.access, narrow), getattr(settings.insights.access, wide)
    for index, role in enumerate(roles):
        if role not in allowed and EVERY_ROLE not in allowed:
            says = f"must also be in access.{wide}: a role that may see strict rows may also see the others"
            yield finding(settings, "error", (*_ACCESS, narrow, index), shown("", role), says)


def _exports_keep_rows_back(settings: Settings) -> Iterator[Problem]:
    for index, visibility in enumerate(settings.insights.exports.allowed_visibilities):
        if visibility not in AS_ROWS:
            says = "is exported in aggregates only, never as rows; remove it from this list"
            where = (*path("insights.exports.allowed_visibilities"), index)
            yield finding(settings, "warning", where, visibility, says)


def _names_differ(where: KeyPath, says: str, settings: Settings) -> Iterator[Problem]:
    names = [one.name for one in getattr(getattr(settings.insights, str(where[1])), str(where[2]))]
    for index, name in enumerate(names):
        if name in names[:index]:
            yield finding(settings, "error", (*where, index, "name"), name, says)


def _digests_go_one_way(settings: Settings) -> Iterator[Problem]:
    for index, one in enumerate(settings.insights.digests.recipients):
        if (one.mail is None) == (one.webhook_url is None):
            where = (*path("insights.digests.recipients"), index, "name")
            yield finding(settings, "error", where, one.name, "must have either mail or webhook_url")


def _stale_comes_before_stopped(settings: Settings) -> Iterator[Problem]:
    etl = settings.insights.etl
    for table in WATCHED:
        stale, stopped = silent_hours(etl, table)
        if stale >= stopped:
            says = f"must be more than the {stale} hours after which {table} is stale"
            yield finding(settings, "error", path("insights.etl.source_stopped_hours"), stopped, says)


def _token_is_encrypted(environ: Mapping[str, str], settings: Settings) -> Iterator[Problem]:
    where, reviews = path("insights.reviews.url"), settings.insights.reviews
    url, token = (expand(value, environ)[0] for value in (reviews.url, reviews.token))
    if is_unencrypted(url) and token and not expand(reviews.token, environ)[1]:
        says = "begins with http://, so the token and the cases cross the network unencrypted; use https"
        yield finding(settings, "warning", where, reviews.url, says)


def _dags_have_flows(settings: Settings) -> Iterator[Problem]:
    """Yield each DAG without a flow and each flow without a DAG."""
    unknown = [key for key in settings.dags if key not in FLOWS]
    for key in unknown:
        says = f"this key is unknown.{nearest(key, FLOWS)} Known here: {', '.join(FLOWS)}"
        yield _of_key(settings, ("etl_dags", key), ("etl_dags", key), says)
    meant = {closest(key, FLOWS) for key in unknown}  # reported as misspelled, with the right key as the remedy
    for key in [key for key in FLOWS if key not in settings.dags and key not in meant]:
        says = "this key is missing; add it: The DAG of this flow of orchestration/flows.py."
        yield _of_key(settings, ("etl_dags",), ("etl_dags", key), says)


def _of_key(settings: Settings, place: KeyPath, key: KeyPath, says: str) -> Problem:
    found = place_of(settings, place)
    return Problem("error", says, found.file, found.line, None, dotted(key))


def _dag_ids_differ(settings: Settings) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    ids = {key: dag.id for key, dag in settings.dags.items() if fits(settings, ("dags", key, "id"))}
    for key, name in ids.items():
        if name in seen:
            yield finding(settings, "error", ("etl_dags", key, "id"), name, f"is already the id of {seen[name]}")
        seen.setdefault(name, key)
