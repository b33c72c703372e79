"""A rule declares what it reads: a wrong value hides no other rule, and a slip in a rule is raised."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from support.config_project import CONFIG, DAGS, PROFILES, ConfigProject

from orchestration.config.consistency import contradictions
from orchestration.config.dag_model import DagsFile
from orchestration.config.fitting import fitting
from orchestration.config.model import ConfigFile
from orchestration.config.problems import KeyPath, Problem
from orchestration.config.profile_model import ProfilesFile
from orchestration.config.rule import Rule, broken, fits, path
from orchestration.config.rules import invariants
from orchestration.config.settings import Settings

ENVIRON = {"INSIGHTS_DEFAULT_PROFILE_KEY": "none_such"}


@pytest.fixture
def spoiled(tmp_path: Path) -> ConfigProject:
    """Return a configuration whose values have the right types and break every rule."""
    project = ConfigProject.copy_to(tmp_path)
    config, dags, profiles = (yaml.safe_load(project.text(file)) for file in (CONFIG, DAGS, PROFILES))
    insights = config["insights"]
    insights["retention"] |= {"raw_event_retention_days": 5, "aggregated_retention_days": 4}
    insights["retention"]["pattern_result_retention_days"] = 5
    insights["backups"]["rpo_minutes"] = 20_000  # 10 days are 14,400
    for cadence, events in (("weekly", 9), ("monthly", 8), ("yearly", 7)):
        insights["patterns"][cadence] |= {"window_days": 10, "min_events": events}
    insights["patterns"] |= {
        "default_profile_key": "nobodys",
        "overrides_by_domain": {"maintenance": "clinic", "*": "default"},
    }
    insights["warehouse"] |= {
        "type": "bigquery",
        "path": f"{'s' * 60}.duckdb",
        "serving_url": "postgresql://serving:pw@h/orgo",
        "read_only_user": "pg_one",
        "write_user": "pg_one",
        "export_user": "pg_one",
        "schema": "s" * 60,
    }
    insights["warehouse"] |= {"max_reader_connections": 9, "reader_limits": {"connections": 8}}
    insights["warehouse"]["connection_url"] = "postgresql://etl:pw@h/orgo"
    insights["exports"]["connection_url"] = "postgresql://export:pw@h/${INSIGHTS_EXPORT_WAREHOUSE_URL}"
    insights["cache"]["url"] = "redis://:pw@h"
    insights["reviews"] |= {"url": "http://core.example.org/?token=pw", "token": "pw"}
    insights["alerts"] = {
        "webhook_url": "https://chat.example.org/hooks/pw",
        "smtp_url": "smtp://a:pw@mail.example.org",
    }
    insights["source"] = {"schema": "s" * 60, "snapshot_directory": "snapshot"}
    insights["etl"] |= {"default_batch_size": 2, "max_batch_size": 1, "source_stopped_hours": 48}
    insights["access"] |= {"restricted_roles": ["a", "*"], "internal_roles": ["b"], "public_roles": ["c"]}
    insights["access"]["anonymised_roles"] = ["*"]
    insights["reports_api"] |= {"superuser_roles": ["*"]}
    scheduled = {"name": "same", "export": "tasks", "organization": "a", "user": "b", "every": "day"}
    insights["exports"]["scheduled"] = [scheduled, scheduled]
    of_digests = {"name": "same", "organization": "a", "roles": ["*"], "scope": "team"}
    of_digests |= {"webhook_url": "http://chat.example.org/pw"}
    insights["digests"]["recipients"] = [of_digests, of_digests | {"mail": "a@example.org"}]
    insights["exports"] |= {"allowed_visibilities": ["RESTRICTED"], "pii_masking_enabled": False}
    for dag in dags["etl_dags"].values():
        dag["id"] = "insights_same"
    dags["etl_dags"]["hourly"] = dags["etl_dags"].pop("daily_dimensions_sync")
    for name, profile in profiles["profiles"].items():
        if not name.startswith("_"):
            profile |= {"pattern_window_days": 77, "pattern_min_events": 77}
    for file, data in ((CONFIG, config), (DAGS, dags), (PROFILES, profiles)):
        project.write(yaml.safe_dump(data, sort_keys=False), file)
    return project


def edit(project: ConfigProject, file: str, keys: str, value: object) -> None:
    data = yaml.safe_load(project.text(file))
    *parents, last = keys.split(".")
    place = data
    for name in parents:
        place = place[name]
    place[last] = value
    project.write(yaml.safe_dump(data, sort_keys=False), file)


def rules_of(settings: Settings) -> list[Rule]:
    return [*invariants(settings), *contradictions(settings, ENVIRON)]


def only(value: Any, reads: Sequence[KeyPath]) -> Any:
    """Return the value reduced to what is at these paths."""
    deeper = [where for where in reads if where]
    if not deeper:
        return value
    inside = value if isinstance(value, Mapping) else vars(value)
    kept = {
        str(head): only(inside[head], [where[1:] for where in deeper if where[0] == head])
        for head in {where[0] for where in deeper}
    }
    if isinstance(value, Settings):
        part = Settings.__new__(Settings)
        vars(part).update(environment=value.environment, places=value.places, **kept)
        return part
    return kept if isinstance(value, Mapping) else SimpleNamespace(**kept)


def test_every_rule_can_fail_and_reads_nothing_that_it_does_not_declare(spoiled: ConfigProject) -> None:
    settings = spoiled.check(**ENVIRON).settings
    assert settings
    warehouse = settings.insights.warehouse.model_copy(update={"type": "snowflake"})  # another engine, other rules
    elsewhere = replace(settings, insights=settings.insights.model_copy(update={"warehouse": warehouse}))
    for rule in rules_of(settings):
        given = settings if [*rule.find(settings)] else elsewhere
        found = [*rule.find(given)]
        assert found, rule
        assert [*rule.find(only(given, rule.reads))] == found


def test_a_rule_that_reads_more_than_it_declares_is_noticed(spoiled: ConfigProject) -> None:
    settings = spoiled.check().settings
    assert settings
    slip = Rule(reads_concurrency, (path("insights.etl.owner_email"),))
    with pytest.raises(AttributeError, match="concurrency"):
        [*slip.find(only(settings, slip.reads))]


def reads_concurrency(settings: Settings) -> Iterator[Problem]:
    yield Problem("error", str(settings.insights.etl.concurrency), "file")


def misspells_an_attribute(settings: Settings) -> Iterator[Problem]:
    yield Problem("error", str(settings.insights.etl.concurency), "file")  # type: ignore[attr-defined]


def misspells_a_key(settings: Settings) -> Iterator[Problem]:
    yield Problem("error", settings.dags["weekly"].id, "file")


def settings_in_part(project: ConfigProject) -> Settings:
    config, dags, profiles = (yaml.safe_load(project.text(file)) for file in (CONFIG, DAGS, PROFILES))
    return Settings.in_part(
        "dev", {}, fitting(config, ConfigFile), fitting(dags, DagsFile), fitting(profiles, ProfilesFile)
    )


@pytest.mark.parametrize(
    ("find", "error"), [(misspells_an_attribute, AttributeError), (misspells_a_key, KeyError)], ids=["attribute", "key"]
)
def test_a_slip_in_a_rule_is_raised_whatever_fits(spoiled: ConfigProject, find: Any, error: type[Exception]) -> None:
    rule = Rule(find, (path("insights.etl.concurrency"), ("dags",)))
    whole = spoiled.check().settings
    assert whole
    with pytest.raises(error):
        broken([rule], whole)
    edit(spoiled, CONFIG, "insights.etl.overlap_hours", "six")
    assert spoiled.check().settings is None
    with pytest.raises(error):
        broken([rule], settings_in_part(spoiled))


def test_a_rule_is_left_out_when_what_it_reads_does_not_fit(spoiled: ConfigProject) -> None:
    edit(spoiled, CONFIG, "insights.etl.concurrency", "four")
    part = settings_in_part(spoiled)
    assert not fits(part, path("insights.etl.concurrency"))
    assert fits(part, path("insights.etl.max_batch_size"))
    read = Rule(reads_concurrency, (path("insights.etl.concurrency"),))
    other = Rule(lambda _settings: iter([Problem("error", "found", "file")]), (path("insights.etl.max_batch_size"),))
    assert [problem.says for problem in broken([read, other], part)] == ["found"]


# One wrong value, and the beginnings of what is not found because of it.
@pytest.mark.parametrize(
    ("file", "keys", "value", "hidden"),
    [
        (CONFIG, "insights.etl.concurrency", "four", ()),
        (CONFIG, "metadata.version", "4.0", ()),
        (PROFILES, "profiles.default.logging_level", 5, ()),
        (PROFILES, "profiles.default.cyclic_overview.schedule", 5, ()),
        (PROFILES, "profiles.default.pattern_min_events", "few", ("profiles.default.pattern_min_events",)),
        (DAGS, "etl_dags.cache_warmup_dashboards.schedule", "never", ()),
        (DAGS, "etl_dags.cache_warmup_dashboards.id", 5, ("etl_dags.cache_warmup_dashboards.id",)),
        (CONFIG, "insights.access.public_roles", "all", ("insights.access.internal_roles",)),
        (CONFIG, "insights.backups.rpo_minutes", "short", ("insights.backups.rpo_minutes",)),
        (
            CONFIG,
            "insights.patterns.yearly.min_events",
            "few",
            ("insights.patterns.yearly.min_events",),
        ),
    ],
)
def test_one_wrong_value_hides_only_the_rules_that_read_it(
    spoiled: ConfigProject, file: str, keys: str, value: object, hidden: tuple[str, ...]
) -> None:
    def found() -> set[tuple[str, str]]:
        return {(problem.key, problem.says) for problem in spoiled.check(**ENVIRON).problems}

    before = found()
    edit(spoiled, file, keys, value)
    after = found()
    assert {key for key, _ in after - before} == {keys}
    lost = {key for key, _ in before - after}
    assert all(key.startswith(hidden) for key in lost) if hidden else not lost
    assert bool(lost) == bool(hidden)
