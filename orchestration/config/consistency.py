"""What must fit together within the files and with the environment, whatever the ENVIRONMENT."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from orchestration.config.masking import shown
from orchestration.config.problems import KeyPath, Level, Problem, nearest
from orchestration.config.rules import finding
from orchestration.config.settings import Settings

_INSIGHTS: KeyPath = ("insights",)
EVERY_ROLE = "*"
AS_ROWS = ("PUBLIC", "INTERNAL")


def contradictions(settings: Settings, environ: Mapping[str, str]) -> list[Iterator[Problem]]:
    """What contradicts something else, or is beyond this release: what each rule finds, yet to be looked for."""
    return [
        _profiles_exist(settings, environ),
        _profiles_agree_with_themselves(settings),
        _names_differ(settings),
        _batches_fit(settings),
        _access_nests(settings),
        _exports_keep_rows_back(settings),
        _dag_ids_differ(settings),
    ]


def _profiles_exist(settings: Settings, environ: Mapping[str, str]) -> Iterator[Problem]:
    patterns = settings.insights.patterns
    wanted: dict[KeyPath, str] = {(*_INSIGHTS, "patterns", "default_profile_key"): patterns.default_profile_key}
    for domain, profile in patterns.overrides_by_domain.items():
        wanted[(*_INSIGHTS, "patterns", "overrides_by_domain", domain)] = profile
    for path, profile in wanted.items():
        if profile not in settings.profiles:
            yield finding(settings, "error", path, shown("", profile), _no_profile(settings, profile))
    given = environ.get("INSIGHTS_DEFAULT_PROFILE_KEY")
    if given and given not in settings.profiles:
        name = "INSIGHTS_DEFAULT_PROFILE_KEY"
        yield Problem("error", _no_profile(settings, given), "environment", key=name, value=shown("", given))


def _no_profile(settings: Settings, profile: str) -> str:
    known = ", ".join(settings.profiles) or "none"
    return f"there is no such profile.{nearest(profile, settings.profiles)} The profiles file has: {known}"


def _profiles_agree_with_themselves(settings: Settings) -> Iterator[Problem]:
    """Decision D3: threshold_triggers wins, and a difference is probably a slip."""
    for name, profile in settings.profiles.items():
        rule = profile.cyclic_overview.threshold_triggers.incident_frequency
        pairs = (
            ("pattern_window_days", profile.pattern_window_days, "window_days", rule.window_days),
            ("pattern_min_events", profile.pattern_min_events, "min_events", rule.min_events),
        )
        for key, value, trigger, counts in pairs:
            if value != counts:
                says = f"threshold_triggers.incident_frequency.{trigger} is {counts}, and that counts; make them equal"
                yield finding(settings, "warning", ("profiles", name, key), value, says)


def _names_differ(settings: Settings) -> Iterator[Problem]:
    warehouse = settings.insights.warehouse
    if warehouse.type != "postgres":
        says = "a token of the specification, but this release builds postgres only"
        yield finding(settings, "error", (*_INSIGHTS, "warehouse", "type"), warehouse.type, says)
    if warehouse.read_only_user == warehouse.write_user:
        says = "must differ from warehouse.write_user: whoever reads must not be able to write"
        path = (*_INSIGHTS, "warehouse", "read_only_user")
        yield finding(settings, "error", path, warehouse.read_only_user, says)
    if warehouse.schema_name == settings.insights.source.schema_name:
        says = "must differ from source.schema: the marts would land among the operational tables"
        yield finding(settings, "error", (*_INSIGHTS, "warehouse", "schema"), warehouse.schema_name, says)


def _batches_fit(settings: Settings) -> Iterator[Problem]:
    etl = settings.insights.etl
    if etl.default_batch_size > etl.max_batch_size:
        says = f"must be at most etl.max_batch_size ({etl.max_batch_size})"
        yield finding(settings, "error", (*_INSIGHTS, "etl", "default_batch_size"), etl.default_batch_size, says)


def _access_nests(settings: Settings) -> Iterator[Problem]:
    """Section 2.5: the minimum visibility decides the minimum role, so whoever may see more may see less."""
    access = settings.insights.access
    levels = (
        ("restricted_roles", access.restricted_roles, "internal_roles", access.internal_roles),
        ("internal_roles", access.internal_roles, "public_roles", access.public_roles),
    )
    for key, roles, wider, allowed in levels:
        for index, role in enumerate(roles):
            if role not in allowed and EVERY_ROLE not in allowed:
                says = f"must be in access.{wider} too: who may see more may see less"
                yield finding(settings, "error", (*_INSIGHTS, "access", key, index), shown("", role), says)


def _exports_keep_rows_back(settings: Settings) -> Iterator[Problem]:
    for index, visibility in enumerate(settings.insights.exports.allowed_visibilities):
        if visibility not in AS_ROWS:
            says = "leaves in aggregates only, never as rows, whatever this list says; remove it"
            path = (*_INSIGHTS, "exports", "allowed_visibilities", index)
            yield finding(settings, "warning", path, visibility, says)


def _dag_ids_differ(settings: Settings) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for key, dag in settings.dags.items():
        if dag.id in seen:
            level: Level = "error"
            yield finding(settings, level, ("etl_dags", key, "id"), dag.id, f"is the id of {seen[dag.id]} already")
        seen.setdefault(dag.id, key)
