"""Environment variables are checked, documented, and choose the environment."""

from __future__ import annotations

import re

import pytest
from support.config_project import CONFIG, DAGS, PROFILES, ConfigProject

from orchestration.config.files import PROJECT, load_settings
from orchestration.config.variables import VARIABLES
from orchestration.errors import InsightsError

pytest_plugins = ["support.config.project_copy"]


def test_a_number_and_a_boolean_may_come_from_the_environment(project: ConfigProject) -> None:
    project.edit("concurrency: 4", 'concurrency: "${THREADS}"')
    project.edit("pii_masking_enabled: true", "pii_masking_enabled: ${MASKED}")
    settings = project.check(THREADS="7", MASKED="false").settings
    assert settings
    assert (settings.insights.etl.concurrency, settings.insights.exports.pii_masking_enabled) == (7, False)
    line = project.line_of("${THREADS}")
    said = project.said(THREADS="many", MASKED="false")
    assert said == [f'{CONFIG}:{line}: insights.etl.concurrency is "many": must be a whole number, without quotes']


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


def test_addresses_of_services_in_kubernetes_are_not_spoken_of(project: ConfigProject) -> None:
    # As Kubernetes sets them in Airflow's pods for the Service insights-redis.
    links = {
        "INSIGHTS_REDIS_SERVICE_HOST": "10.0.0.1",
        "INSIGHTS_REDIS_SERVICE_PORT": "6379",
        "INSIGHTS_REDIS_SERVICE_PORT_REDIS": "6379",
        "INSIGHTS_REDIS_PORT": "tcp://10.0.0.1:6379",
        "INSIGHTS_REDIS_PORT_6379_TCP": "tcp://10.0.0.1:6379",
        "INSIGHTS_REDIS_PORT_6379_TCP_PROTO": "tcp",
        "INSIGHTS_REDIS_PORT_6379_TCP_PORT": "6379",
        "INSIGHTS_REDIS_PORT_6379_TCP_ADDR": "10.0.0.1",
    }
    before = project.said("warning")
    assert project.said("warning", **links) == before
    # Without a Service of that name, somebody meant something by it.
    (unknown,) = [text for text in project.said("warning", INSIGHTS_REDIS_PORT="6379") if text not in before]
    assert "INSIGHTS_REDIS_PORT: this variable is unknown" in unknown


def test_good_variables_are_not_spoken_of(project: ConfigProject) -> None:
    url = "postgresql://etl:p%40w@h/orgo"
    key = "ZmVybmV0LWtleS1vZi0zMi1ieXRlcy1leGFjdGx5ISE="  # 32 bytes
    given = {
        "INSIGHTS_WAREHOUSE_URL": url,
        "INSIGHTS_DUCKDB_PATH": "/srv/warehouse.duckdb",
        "INSIGHTS_SNAPSHOT_DIR": "/srv/snapshot",
        "INSIGHTS_SERVING_URL": "postgresql://etl@db/serving",
        "INSIGHTS_REDIS_URL": "rediss://h/1",
        "INSIGHTS_CORE_API_URL": "https://h",
        "INSIGHTS_CORE_API_TOKEN": "t",
        "INSIGHTS_ALERT_WEBHOOK_URL": "https://h/x",
        "INSIGHTS_ALERT_SMTP_URL": "smtps://u:p@h",
        "INSIGHTS_EXPORT_WAREHOUSE_URL": "postgresql://export@db/orgo",
        "INSIGHTS_EXPORT_DIR": "/var/exports",
        "INSIGHTS_BACKUP_REPOSITORY": "/srv/backups",
        "INSIGHTS_BACKUP_AIRFLOW_DIR": "/srv/airflow",
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
        PROJECT / "profiles.yml",
        *PROJECT.glob("models/**/*.*"),
    ]
    places += [*PROJECT.glob("config/**/*.yaml"), PROJECT / "dev"]
    read = {name for file in places for name in re.findall(r"\bINSIGHTS_[A-Z0-9_]*[A-Z0-9]\b", file.read_text("utf-8"))}
    names = {f"{variable.name}{end}" for variable in VARIABLES for end in ("", "_FILE")[: 1 + variable.takes_file]}
    assert read - names == set()
    page = (PROJECT / "docs/configuration.md").read_text("utf-8")
    assert [v.name for v in VARIABLES if not re.search(rf"^\| .*`{v.name}`.*\|.*\|", page, re.M)] == []
