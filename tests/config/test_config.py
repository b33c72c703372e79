"""The configuration's shape: what ships is right, and each kind of mistake is reported with its line and a remedy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from support.config_project import CONFIG, DAGS, PROFILES, ConfigProject

from orchestration.config.cron import cron_problem
from orchestration.config.files import CONFIG_FILE, PROJECT, check, load_settings
from orchestration.config.tokens import ENVIRONMENTS
from orchestration.config.variables import VARIABLES
from orchestration.errors import InsightsError
from orchestration.flows import FLOWS

# Section 4.1 of the specification, letter by letter: in six lines it is indented with a tab.
INVENTORY = """
etl_dags:

  daily_events_load:
    id: "insights_daily_events_load"
    schedule: "0 2 * * *"   # daily at 02:00 UTC
    description: "Load operational tasks/cases into the insights fact tables (insights.fact_tasks, insights.fact_cases, insights.fact_wellbeing_checkins, etc.)"
    enabled_environments: ["staging", "prod"]
\tqueue_job_id: "orgo.analytics.export-facts"

  daily_dimensions_sync:
    id: "insights_daily_dimensions_sync"
    schedule: "30 2 * * *"
    description: "Sync dimension tables (organizations, roles, labels) into insights.dim_*"
    enabled_environments: ["staging", "prod"]
\tqueue_job_id: "orgo.analytics.export-facts"

  weekly_pattern_review:
    id: "insights_weekly_pattern_review"
    schedule: "0 3 * * 1"   # every Monday at 03:00 UTC
    description: "Compute weekly patterns based on patterns.weekly.window_days"
    enabled_environments: ["staging", "prod"]
\tqueue_job_id: "orgo.insights.weekly-pattern-review"

  monthly_trend_report:
    id: "insights_monthly_trend_report"
    schedule: "0 4 1 * *"   # first of each month
    description: "Generate monthly trend aggregates and store in summary tables / materialized views"
    enabled_environments: ["staging", "prod"]
\tqueue_job_id: "orgo.insights.monthly-trend-report"

  yearly_systemic_review:
    id: "insights_yearly_systemic_review"
    schedule: "0 5 1 1 *"   # January 1st
    description: "Compute yearly systemic patterns used by leadership overviews"
    enabled_environments: ["prod"]
\tqueue_job_id: "orgo.insights.yearly-systemic-review"

  cache_warmup_dashboards:
    id: "insights_cache_warmup_dashboards"
    schedule: "*/15 * * * *"  # every 15 minutes
    description: "Pre\N{NON-BREAKING HYPHEN}warm caches for high\N{NON-BREAKING HYPHEN}traffic dashboards"
    enabled_environments: ["staging", "prod"]
\tqueue_job_id: "orgo.insights.cache-warmup-dashboards"
"""  # noqa: E501 - it is quoted


@pytest.fixture
def project(tmp_path: Path) -> ConfigProject:
    return ConfigProject.copy_to(tmp_path)


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_the_shipped_files_have_no_error(project: ConfigProject, env: str) -> None:
    assert project.said("error", env) == []
    settings = project.check(env).settings
    assert settings
    assert settings.environment == env


def test_the_inventory_is_that_of_the_specification(project: ConfigProject) -> None:
    wanted = yaml.safe_load(INVENTORY.replace("\t", "    "))["etl_dags"]
    settings = project.check().settings
    assert settings
    assert {name: settings.dags[name].model_dump() for name in wanted} == wanted
    assert len(wanted) == 6
    assert set(settings.dags) == set(FLOWS)


def test_the_pasted_inventory_is_told_of_its_tabs(project: ConfigProject) -> None:
    project.write(INVENTORY, DAGS)
    lines = [9, 16, 23, 30, 37, 44]  # counted in the text above; its first line is empty
    assert project.said() == [
        f"{DAGS}:{line}:1: a tab in the indentation, which YAML forbids; use spaces" for line in lines
    ]


def test_where_a_dag_is_enabled(project: ConfigProject) -> None:
    def enabled(env: str) -> set[str]:
        settings = project.check(env).settings
        assert settings
        return {name for name in every if settings.is_enabled(name)}

    every = set(yaml.safe_load(INVENTORY.replace("\t", "    "))["etl_dags"])
    assert enabled("dev") == set()
    assert enabled("staging") == every - {"yearly_systemic_review"}
    assert enabled("prod") == every
    assert enabled("offline") == set()
    project.edit("  offline:\n    enabled: false", "  offline:\n    enabled: true")
    assert enabled("offline") == every
    assert enabled("dev") == set()


# What the check is made of.
CHECKED = ("orchestration.config.", "orchestration.errors", "orchestration.flows")


def test_the_check_starts_no_process_and_opens_no_connection() -> None:
    package = PROJECT / "orchestration"
    modules = [*(package / "config").glob("*.py"), package / "errors.py", package / "flows.py"]
    imported = {name for file in modules for name in re.findall(r"^(?:from|import) ([\w.]+)", file.read_text(), re.M)}
    outside = {name.split(".")[0] for name in imported if not name.startswith("orchestration.")}
    ours = {name for name in imported if name.startswith("orchestration.")}
    assert {name for name in ours if not name.startswith(CHECKED)} == set()
    assert outside & {"psycopg", "redis", "subprocess", "socket", "urllib", "http", "airflow", "dbt"} == set()


# file, what is replaced, by what, and what is said: the line is that of the replaced text, moved down by {+n}.
MISTAKES = [
    (
        CONFIG,
        "    concurrency: 4",
        "    concurency: 4",
        "{file}:{line}: insights.etl.concurency: this key is unknown. Did you mean concurrency? Known here:"
        " owner_email, default_batch_size, max_batch_size, concurrency, overlap_hours",
    ),
    (
        CONFIG,
        "  source:\n",
        "  sauce: 1\n  source:\n",
        "{file}:{line}: insights.sauce: this key is unknown. Did you mean",
    ),
    (CONFIG, "  offline:\n    enabled: false\n", "", "{file}:8: insights.offline: this key is missing"),
    (
        CONFIG,
        "    concurrency: 4\n",
        "",
        "{file}:23: insights.etl.concurrency: this key is missing; add it: Number of dbt threads.",
    ),
    (
        CONFIG,
        "concurrency: 4",
        'concurrency: "4"',
        '{file}:{line}: insights.etl.concurrency is "4": must be a whole number, without quotes',
    ),
    (CONFIG, "concurrency: 4", "concurrency: four", "{file}:{line}: insights.etl.concurrency is four: must be a whole"),
    (CONFIG, "concurrency: 4", "concurrency:", "{file}:{line}: insights.etl.concurrency is null: must be a whole"),
    (
        CONFIG,
        "concurrency: 4",
        "concurrency: 0",
        "{file}:{line}: insights.etl.concurrency is 0: must be greater than 0",
    ),
    (CONFIG, "concurrency: 4", "concurrency: true", "{file}:{line}: insights.etl.concurrency is true: must be a whole"),
    (CONFIG, "concurrency: 4", "concurrency: 4.5", "{file}:{line}: insights.etl.concurrency is 4.5: must be a whole"),
    (CONFIG, "concurrency: 4", "concurrency: [4]", "{file}:{line}: insights.etl.concurrency is [4]: must be a whole"),
    (
        CONFIG,
        "window_days: 28",
        "window_days: 36501",
        "{file}:{line}: insights.patterns.weekly.window_days is 36501: must be at most 36500",
    ),
    (
        CONFIG,
        "backoff_seconds: 1",
        "backoff_seconds: .inf",
        "{file}:{line}: insights.reviews.backoff_seconds is .inf: must be at most 86400",
    ),
    (CONFIG, "schema: public", "schema: Public", "{file}:{line}: insights.source.schema is Public: must match ^[a-z_]"),
    (CONFIG, "data-team@example.org", "data-team", "{file}:{line}: insights.etl.owner_email is data-team: must match"),
    (
        CONFIG,
        "[PUBLIC, INTERNAL]",
        "[PUBLIC, INTERNALS]",
        "{file}:{line}: insights.exports.allowed_visibilities.1 is INTERNALS: must be one of PUBLIC, INTERNAL,"
        " RESTRICTED, ANONYMISED. Did you mean INTERNAL",
    ),
    (
        CONFIG,
        "[PUBLIC, INTERNAL]",
        "PUBLIC",
        "{file}:{line}: insights.exports.allowed_visibilities is PUBLIC: must be a",
    ),
    (
        CONFIG,
        "backend: redis",
        "backend: memcached",
        "{file}:{line}: insights.cache.backend is memcached: must be one of",
    ),
    (
        CONFIG,
        "type: postgres",
        "type: snowflake",
        "{file}:{line}: insights.warehouse.type is snowflake: the specification allows this value, but this",
    ),
    (
        CONFIG,
        "{ dev: 100, staging: 1000, prod: 5000 }",
        "{ dev: 100, staging: 1000 }",
        "{file}:{line}: insights.cache.max_keys_per_dashboard.prod: this key is missing",
    ),
    (
        CONFIG,
        "{ dev: 100, staging: 1000, prod: 5000 }",
        "{ dev: 100, staging: 1000, production: 5000 }",
        "{file}:{line}: insights.cache.max_keys_per_dashboard.production: this key is unknown. Did you mean prod?",
    ),
    (
        CONFIG,
        "min_group_size: 5",
        "min_group_size: 1",
        "{file}:{line}: insights.exports.min_group_size is 1: must be at least 2",
    ),
    (
        CONFIG,
        "{ dev: 100, staging: 1000, prod: 5000 }",
        "{ dev: 100, staging: 1000, prod: -1 }",
        "{file}:{line}: insights.cache.max_keys_per_dashboard.prod is -1: must be greater than 0",
    ),
    (
        CONFIG,
        "streaming_like: 30",
        "streaming_like: x",
        "{file}:{line}: insights.cache.ttl_seconds.streaming_like is x",
    ),
    (
        CONFIG,
        'last_updated: "2026-11-24"',
        "last_updated: 2026-11-24",
        "{file}:{line}: metadata.last_updated is 2026-11-24: must be a text, and YAML takes it for a date; put it in"
        ' quotes: "2026-11-24"',
    ),
    (
        CONFIG,
        'last_updated: "2026-11-24"',
        'last_updated: "2026-02-30"',
        '{file}:{line}: metadata.last_updated is "2026-02-30": must be a date such as "2026-01-31"',
    ),
    (
        CONFIG,
        'version: "3.0"',
        "version: 3.0",
        "{file}:{line}: metadata.version is 3.0: must be a text, and YAML takes it for a number; put it in quotes",
    ),
    (CONFIG, 'version: "3.0"', 'version: "4.0"', '{file}:{line}: metadata.version is "4.0": must match ^3'),
    (
        CONFIG,
        "default_profile_key: default",
        "default_profile_key: no",
        "{file}:{line}: insights.patterns.default_profile_key is no: YAML takes this for false; write false, or a text",
    ),
    (
        CONFIG,
        "default_profile_key: default",
        "default_profile_key: 7",
        "{file}:{line}: insights.patterns.default_profile_key is 7: must be a text, and YAML takes it for a number",
    ),
    (
        CONFIG,
        "pii_masking_enabled: true",
        "pii_masking_enabled: yes",
        "{file}:{line}: insights.exports.pii_masking_enabled is yes: YAML takes this for true; write true, or a text",
    ),
    (
        CONFIG,
        "pii_masking_enabled: true",
        'pii_masking_enabled: "true"',
        '{file}:{line}: insights.exports.pii_masking_enabled is "true": must be true or false, without quotes',
    ),
    (
        CONFIG,
        "overlap_hours: 6",
        "overlap_hours: 010",
        "{file}:{line}: insights.etl.overlap_hours is 010: YAML takes this for 8; write a number in decimal",
    ),
    (
        CONFIG,
        "overlap_hours: 6",
        "overlap_hours: 1:30",
        "{file}:{line}: insights.etl.overlap_hours is 1:30: YAML takes this for 90; write a number in decimal",
    ),
    (
        CONFIG,
        "maintenance: hospital",
        "no: hospital",
        "{file}:{line}: insights.patterns.overrides_by_domain.no: YAML takes this key for a boolean; put it in quotes",
    ),
    (
        CONFIG,
        "default_profile_key: default",
        "default_profile_key: hospitl",
        '{file}:{line}: insights.patterns.default_profile_key is "hospitl": there is no such profile. Did you mean'
        " hospital? The profiles file has: default, friend_group, hospital,",
    ),
    (
        CONFIG,
        "maintenance: hospital",
        "maintenance: clinic",
        '{file}:{line}: insights.patterns.overrides_by_domain.maintenance is "clinic": there is no such profile.',
    ),
    (
        CONFIG,
        "default_batch_size: 1000",
        "default_batch_size: 10001",
        "{file}:{line}: insights.etl.default_batch_size is 10001: must be at most etl.max_batch_size (10000)",
    ),
    (
        CONFIG,
        "read_only_user: orgo_insights_ro",
        "read_only_user: orgo_insights_etl",
        "{file}:{line}: insights.warehouse.read_only_user is orgo_insights_etl: must differ from warehouse.write_user",
    ),
    (
        CONFIG,
        "schema: public",
        "schema: insights",
        "{file}:14: insights.warehouse.schema is insights: must differ from source.schema",
    ),
    (
        CONFIG,
        "restricted_roles: []",
        "restricted_roles: [coordinator]\n    # more",
        None,
    ),
    (
        CONFIG,
        'internal_roles: ["*"]\n    restricted_roles: []',
        "internal_roles: [viewer]\n    restricted_roles: [viewer, coordinator]",
        '{file}:{line+1}: insights.access.restricted_roles.1 is "coordinator": must also be in access.internal_roles',
    ),
    (
        CONFIG,
        "concurrency: 4",
        "concurrency: ${THREADS}",
        '{file}:{line}: insights.etl.concurrency is "${{THREADS}}": the environment variable THREADS is not set;'
        " export THREADS=... or write the value here",
    ),
    (CONFIG, "concurrency: 4", "concurrency: ${no name}", "{file}:{line}: insights.etl.concurrency is"),
    (
        CONFIG,
        'environment: "${INSIGHTS_ENV}"\n\n  w',
        "environment: staging\n\n  w",
        "{file}:{line}: insights.environment",
    ),
    (
        DAGS,
        'environment: "${INSIGHTS_ENV}"',
        "environment: dev",
        '{file}:{line}: metadata.environment is "dev": must equal INSIGHTS_ENV ("prod"',
    ),
    (
        PROFILES,
        'environment: "${INSIGHTS_ENV}"',
        "environment: dev",
        '{file}:{line}: metadata.environment is "dev": must',
    ),
    (
        DAGS,
        '"0 3 * * 1"',
        '"0 3 * * 8"',
        "{file}:{line}: etl_dags.weekly_pattern_review.schedule is \"0 3 * * 8\": '8' is not a valid day of week; it"
        " must be *, or numbers from 0 to 7",
    ),
    (
        DAGS,
        '["prod"]',
        '["prd"]',
        '{file}:{line}: etl_dags.yearly_systemic_review.enabled_environments.0 is "prd": must be one of dev, staging,'
        " prod, offline. Did you mean prod",
    ),
    (
        DAGS,
        "  weekly_pattern_review:",
        "  weekly_review:",
        "{file}:{line}: etl_dags.weekly_review: this key is unknown. Did you mean weekly_pattern_review? Known here: ",
    ),
    (
        DAGS,
        '"insights_yearly_systemic_review"',
        '"insights_monthly_trend_report"',
        "{file}:{line}: etl_dags.yearly_systemic_review.id is insights_monthly_trend_report: is already the id of"
        " monthly_trend_report",
    ),
    (
        PROFILES,
        "notification_scope: user",
        "notification_scope: everyone",
        "{file}:{line}: profiles.friend_group.notification_scope is everyone: must be one of user, team, department,",
    ),
    (
        PROFILES,
        "  hospital:\n",
        "  hospital: &h\n    <<: 3\n",
        "{file}:{line+1}: profiles.hospital.<<: must be a mapping",
    ),
]


@pytest.mark.parametrize(
    ("file", "old", "new", "said"), MISTAKES, ids=[mistake[2].strip()[:40] for mistake in MISTAKES]
)
def test_a_mistake_is_reported_with_its_line(
    project: ConfigProject, file: str, old: str, new: str, said: str | None
) -> None:
    line = project.edit(old, new, file)
    found = project.said()
    if said is None:
        assert found == []
        return
    wanted = said.replace("{line+1}", str(line + 1)).format(file=file, line=line)
    assert len(found) == 1, found
    assert found[0].startswith(wanted), found[0]


def test_a_misspelt_required_key_is_one_problem_and_hides_no_other(project: ConfigProject) -> None:
    first = project.edit("overlap_hours: 6", "overlap_hour: 6")
    second = project.edit("timeout_seconds: 10", "timeout_seconds: ten")
    said = project.said()
    assert [text.split(": ")[:2] for text in said] == [
        [f"{CONFIG}:{first}", "insights.etl.overlap_hour"],
        [f"{CONFIG}:{second}", "insights.reviews.timeout_seconds is ten"],
    ]


def test_a_flow_that_the_inventory_lacks_is_reported(project: ConfigProject) -> None:
    text = project.text(DAGS)
    project.write(text[: text.index("  cache_warmup_dashboards:")], DAGS)
    assert project.said() == [
        f"{DAGS}:{project.line_of('etl_dags:', DAGS)}: etl_dags.cache_warmup_dashboards: this key is missing; add it:"
        " The DAG of this flow of orchestration/flows.py."
    ]


def test_problems_of_all_files_come_together(project: ConfigProject) -> None:
    one = project.edit("  source:\n", "  sauce: 1\n  source:\n")
    two = project.edit('"0 3 * * 1"', '"0 3 * * 1 2026"', DAGS)
    three = project.edit("    pattern_min_events: 4", "    pattern_min_event: 4", PROFILES)
    starts = [text.split(": ")[0] for text in project.said()]
    assert starts == [f"{CONFIG}:{one}", f"{DAGS}:{two}", f"{PROFILES}:{three}"]


def test_an_unknown_key_hides_no_broken_invariant(project: ConfigProject) -> None:
    project.edit("  source:\n", "  sauce: 1\n  source:\n")
    project.edit("default_batch_size: 1000", "default_batch_size: 10001")
    assert len(project.said()) == 2


def test_a_value_that_does_not_fit_hides_no_broken_rule_of_the_others(
    project: ConfigProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = {
        "insights.reviews.timeout_seconds": project.edit("timeout_seconds: 10", "timeout_seconds: ten"),
        "insights.etl.default_batch_size": project.edit("default_batch_size: 1000", "default_batch_size: 10001"),
        "insights.patterns.overrides_by_domain.maintenance": project.edit("maintenance: hospital", "maintenance: hos"),
        "insights.retention.raw_event_retention_days.prod": project.edit(
            "raw_event_retention_days: { dev: 730, staging: 730, prod: 730 }", "raw_event_retention_days: 700"
        ),
        "etl_dags.daily_events_load.schedule": project.edit('"0 2 * * *"', '"0 2 * *"', DAGS),
    }
    said = project.said()
    assert {text.split(": ")[1].split(" is ")[0]: int(text.split(":")[1]) for text in said} == lines
    monkeypatch.setenv("INSIGHTS_ENV", "prod")
    with pytest.raises(InsightsError, match="The configuration has 5 errors") as caught:
        load_settings(project.folder)
    assert all(text in str(caught.value) for text in said)
    monkeypatch.setenv("INSIGHTS_ENV", "dev")  # where no yearly review runs
    with pytest.raises(InsightsError, match="The configuration has 4 errors"):
        load_settings(project.folder)


def test_a_file_that_cannot_be_read_hides_no_broken_rule_of_the_others(project: ConfigProject) -> None:
    batch = project.edit("default_batch_size: 1000", "default_batch_size: 10001")
    project.edit("maintenance: hospital", "maintenance: hospitol")  # which can no longer be checked
    project.write("profiles: [\n", PROFILES)
    said = project.said()
    assert [text.split(": ")[0].split(":")[:2] for text in said] == [[PROFILES, "2"], [CONFIG, str(batch)]]


def test_aliases_of_doc_7_are_read(project: ConfigProject) -> None:
    project.edit("notification_scope: user", "notification_scope: individual", PROFILES)
    settings = project.check().settings
    assert settings
    assert settings.profiles["friend_group"].notification_scope == "user"


def test_a_profile_may_take_over_a_template(project: ConfigProject) -> None:
    text = project.text(PROFILES)
    start = text.index("  hospital:\n")
    end = text.index("  advocacy_group:\n")
    body = text[start + len("  hospital:\n") : end]
    template = f"  _careful: &careful\n{body}"
    project.write(
        text[:start] + template + "  hospital:\n    <<: *careful\n    log_retention_days: 4000\n\n" + text[end:],
        PROFILES,
    )
    settings = project.check().settings
    assert settings
    hospital = settings.profiles["hospital"]
    assert (hospital.log_retention_days, hospital.pattern_window_days) == (4000, 7)
    assert "_careful" not in settings.profiles
    line = project.edit(
        "    pattern_window_days: 7\n    pattern_min_events: 2\n    severity_threshold: MODERATE", "    x: 1", PROFILES
    )
    said = project.said()
    assert f"{PROFILES}:{line}: profiles.hospital.x: this key is unknown." in " ".join(said)


def test_a_number_and_a_boolean_may_come_from_the_environment(project: ConfigProject) -> None:
    project.edit("concurrency: 4", 'concurrency: "${THREADS}"')
    project.edit("pii_masking_enabled: true", "pii_masking_enabled: ${MASKED}")
    settings = project.check(THREADS="7", MASKED="false").settings
    assert settings
    assert (settings.insights.etl.concurrency, settings.insights.exports.pii_masking_enabled) == (7, False)
    line = project.line_of("${THREADS}")
    said = project.said(THREADS="many", MASKED="false")
    assert said == [f'{CONFIG}:{line}: insights.etl.concurrency is "many": must be a whole number, without quotes']


def test_a_secret_in_the_wrong_place_is_not_shown(project: ConfigProject) -> None:
    line = project.edit("schema: public", 'schema: "${INSIGHTS_CORE_API_TOKEN}"')
    assert project.said(INSIGHTS_CORE_API_TOKEN="Pw") == [  # noqa: S106 - it must not come back
        f"{CONFIG}:{line}: insights.source.schema is ***: must match ^[a-z_][a-z0-9_]{{0,62}}$"
    ]


def test_addresses_are_read_when_they_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings()
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", "postgresql://etl:pw@h/orgo")
    monkeypatch.setenv("INSIGHTS_CORE_API_URL", "https://core.example.org")
    monkeypatch.setenv("INSIGHTS_DEFAULT_PROFILE_KEY", "hospital")
    assert (settings.warehouse_url, settings.core_api_url, settings.core_api_token, settings.default_profile_key) == (
        "postgresql://etl:pw@h/orgo",
        "https://core.example.org",
        None,
        "hospital",
    )
    assert "pw@h" not in repr(settings)


def test_a_scalar_stands_for_every_environment_and_offline_takes_prods(project: ConfigProject) -> None:
    settings = project.check().settings
    assert settings
    cache = settings.insights.cache
    assert cache.ttl_seconds.streaming_like.model_dump() == dict.fromkeys(ENVIRONMENTS, 30)
    assert cache.max_keys_per_dashboard.model_dump() == {"dev": 100, "staging": 1000, "prod": 5000, "offline": 5000}
    project.edit("{ dev: 100, staging: 1000, prod: 5000 }", "{ dev: 100, staging: 1000, prod: 5000, offline: 7 }")
    settings = project.check().settings
    assert settings
    assert settings.insights.cache.max_keys_per_dashboard.of("offline") == 7


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("0 2 * * *", None),
        ("*/15 * * * *", None),
        ("0,30 9-17/2 1 jan-MAR mon", None),
        ("5/20 0 29 2 *", None),
        ("0 0 31 2 1", None),  # a day of the week makes up for a day of the month that never comes
        ("0 0 31 2 *", "never runs: none of its months has a day 31"),
        ("0 0 31 4,6 *", "never runs"),
        ("0 2 * *", "has 4 fields"),
        ("@daily", "has 1 fields"),
        ("", "has 0 fields"),
        ("60 2 * * *", "'60' is not a valid minute"),
        ("0 24 * * *", "'24' is not a valid hour"),
        ("0 2 0 * *", "'0' is not a valid day of month"),
        ("0 2 * 13 *", "'13' is not a valid month"),
        ("0 2 * * mo", "'mo' is not a valid day of week"),
        ("0 5-2 * * *", "'5-2' is not a valid hour"),
        ("*/0 * * * *", "'*/0' is not a valid minute"),
        ("1,,2 * * * *", "'1,,2' is not a valid minute"),
        ("-1 * * * *", "'-1' is not a valid minute"),
        ("\N{ARABIC-INDIC DIGIT ONE} * * * *", "is not a valid minute"),
    ],
)
def test_cron_expressions(expression: str, said: str | None) -> None:
    problem = cron_problem(expression)
    assert problem is None if said is None else said in str(problem), problem


def test_insights_env_decides(project: ConfigProject, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = 'environment: INSIGHTS_ENV is "prd": must be one of dev, staging, prod, offline. Did you mean prod'
    assert project.said(env="prd")[0].startswith(problem)
    assert len(project.said(env="prd")) == 1
    monkeypatch.setenv("INSIGHTS_ENV", "prd")
    with pytest.raises(InsightsError, match="INSIGHTS_ENV"):
        load_settings(project.folder)
    monkeypatch.delenv("INSIGHTS_ENV")
    assert load_settings(project.folder).environment == "dev"


def test_files_that_name_another_environment_stop_everything(
    project: ConfigProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in (CONFIG, DAGS, PROFILES):
        project.write(project.text(file).replace('"${INSIGHTS_ENV}"', "prod"), file)
    assert project.said(env="prod") == []
    with pytest.raises(InsightsError, match=r"The configuration has 4 errors:") as caught:
        load_settings(project.folder)  # INSIGHTS_ENV is not set, which means dev
    assert str(caught.value).count("must equal INSIGHTS_ENV") == 4
    monkeypatch.setenv("INSIGHTS_ENV", "prod")
    assert load_settings(project.folder).environment == "prod"


def test_the_export_folder_of_the_file_is_absolute_too(project: ConfigProject) -> None:
    project.edit('directory: "${INSIGHTS_EXPORT_DIR}"', "directory: exports")
    settings = project.check().settings
    assert settings
    with pytest.raises(InsightsError, match=r"insights\.exports\.directory must be an absolute path, not 'exports'"):
        _ = settings.export_directory


def test_profiles_are_looked_up_for_the_variable_too(project: ConfigProject) -> None:
    assert project.said(INSIGHTS_DEFAULT_PROFILE_KEY="hospitol")[0].startswith(
        'environment: INSIGHTS_DEFAULT_PROFILE_KEY is "hospitol": there is no such profile. Did you mean hospital?'
    )
    assert project.said(INSIGHTS_DEFAULT_PROFILE_KEY="hospital") == []


@pytest.mark.parametrize(
    ("level", "variables", "said"),
    [
        (
            "warning",
            {"INSIGHTS_WAREHOSE_URL": "x"},
            "INSIGHTS_WAREHOSE_URL: this variable is unknown. Did you mean INSIGHTS_WAREHOUSE_URL?",
        ),
        (
            "error",
            {"INSIGHTS_REDIS_URL": "http://:pw@h"},
            'INSIGHTS_REDIS_URL is "http://:***@h": must begin with redis://',
        ),
        (
            "error",
            {"INSIGHTS_WAREHOUSE_URL": "mysql://u:pw@h/d"},
            'INSIGHTS_WAREHOUSE_URL is "mysql://u:***@h/d": must',
        ),
        ("error", {"INSIGHTS_EXPORT_DIR": "exports"}, 'INSIGHTS_EXPORT_DIR is "exports": must be an absolute path'),
        ("error", {"INSIGHTS_EXPORT_S3_BUCKET": "My bucket"}, 'INSIGHTS_EXPORT_S3_BUCKET is "My bucket": must be a'),
        ("error", {"AIRFLOW__CORE__FERNET_KEY": "pw"}, "AIRFLOW__CORE__FERNET_KEY is ***: must be 32 bytes"),
        ("error", {"AIRFLOW__CORE__FERNET_KEY": "p w!"}, "AIRFLOW__CORE__FERNET_KEY is ***: must be 32 bytes"),
        (
            "warning",
            {
                "AIRFLOW__CORE__SQL_ALCHEMY_CONN": "postgresql+psycopg2://a:pw@h/airflow",
                "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql+psycopg2://b:pw@h/airflow",
            },
            'AIRFLOW__CORE__SQL_ALCHEMY_CONN is "postgresql+psycopg2://a:***@h/airflow": differs from',
        ),
    ],
)
def test_environment_variables_are_checked(
    project: ConfigProject, level: str, variables: dict[str, str], said: str
) -> None:
    found = [text for text in project.said(level, **variables) if text.startswith("environment")]
    assert len(found) == 1
    assert found[0].startswith(f"environment: {said}")
    assert "pw" not in found[0]


def test_good_variables_are_not_spoken_of(project: ConfigProject) -> None:
    url = "postgresql://etl:p%40w@h/orgo"
    key = "ZmVybmV0LWtleS1vZi0zMi1ieXRlcy1leGFjdGx5ISE="  # 32 bytes
    given = {
        "INSIGHTS_WAREHOUSE_URL": url,
        "INSIGHTS_REDIS_URL": "rediss://h/1",
        "INSIGHTS_CORE_API_URL": "https://h",
        "INSIGHTS_CORE_API_TOKEN": "t",
        "INSIGHTS_EXPORT_DIR": "/var/exports",
        "AIRFLOW__CORE__FERNET_KEY": f"{key},{key}",
        "AIRFLOW__CORE__SQL_ALCHEMY_CONN": "postgresql+psycopg2://h/airflow",
    }
    assert [str(problem) for problem in project.check(**given).problems if problem.level != "warning"] == []


def test_missing_addresses_are_notes(project: ConfigProject) -> None:
    line = project.line_of("${INSIGHTS_WAREHOUSE_URL}")
    assert project.said("note")[0] == (
        f'{CONFIG}:{line}: insights.warehouse.connection_url is "${{INSIGHTS_WAREHOUSE_URL}}": the environment variable'
        " INSIGHTS_WAREHOUSE_URL is not set; only commands that use it need it"
    )
    settings = project.check().settings
    assert settings
    with pytest.raises(InsightsError, match="INSIGHTS_WAREHOUSE_URL, which is not set"):
        _ = settings.warehouse_url
    assert (settings.core_api_url, settings.core_api_token) == (None, None)


def test_every_variable_that_the_code_reads_is_in_the_table_and_the_table_in_the_docs() -> None:
    places = [
        *PROJECT.glob("orchestration/**/*.py"),
        *PROJECT.glob("workshop/**/*.py"),
        *PROJECT.glob("macros/**/*.sql"),
        *PROJECT.glob("profiles/*"),
    ]
    places += [*PROJECT.glob("config/**/*.yaml"), PROJECT / "dev"]
    read = {name for file in places for name in re.findall(r"\bINSIGHTS_[A-Z0-9_]*[A-Z0-9]\b", file.read_text("utf-8"))}
    assert read - {variable.name for variable in VARIABLES} == set()
    page = (PROJECT / "docs/configuration.md").read_text("utf-8")
    assert [v.name for v in VARIABLES if not re.search(rf"^\| .*`{v.name}`.*\|.*\|", page, re.M)] == []


def test_what_ships_is_checked_where_it_lies() -> None:
    assert [str(p) for p in check(environ={"INSIGHTS_ENV": "prod"}).problems if p.level == "error"] == []
    assert (PROJECT / CONFIG_FILE).exists()
