"""The chart, rendered for each environment: valid, closed to others, and with the shipped files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from helm_python import HelmError
from support.chart.rendered import CHART, ENVIRONMENTS, Rendered, Resource, airflow, merged, problems, render

from orchestration.config.files import CONFIG_FILE, PROJECT, load_settings
from orchestration.config.variables import VARIABLES


@pytest.fixture(scope="module", params=ENVIRONMENTS)
def rendered(request: pytest.FixtureRequest) -> Rendered:
    return render(request.param)


@pytest.fixture(scope="module")
def prod() -> Rendered:
    return render("prod")


def test_every_resource_is_valid(rendered: Rendered) -> None:
    assert len(rendered.resources) > 5
    assert [problem for resource in rendered.resources for problem in problems(resource)] == []


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("Deployment", ("spec", "replica"), 3),
        ("ScaledObject", ("spec", "minReplicaCount"), "three"),
        ("PodMonitor", ("spec", "podMetricsEndpoints"), "metrics"),
    ],
)
def test_a_resource_that_is_wrong_is_found(kind: str, path: tuple[str, str], value: object) -> None:
    resource = render("prod").of(kind)[0]
    assert problems(resource) == []
    resource[path[0]][path[1]] = value
    assert problems(resource) != []


def test_each_environment_is_its_own(rendered: Rendered) -> None:
    found = {
        (pod["name"], variable["value"])
        for pod in rendered.containers()
        for variable in pod.get("env", [])
        if variable["name"] == "INSIGHTS_ENV"
    }
    assert {value for _, value in found} == {rendered.environment}
    assert {variable["name"]: variable["value"] for variable in airflow(rendered.environment)["env"]}[
        "INSIGHTS_ENV"
    ] == rendered.environment


def test_an_executor_of_airflow_has_the_workers_that_it_needs(rendered: Rendered) -> None:
    executor = airflow(rendered.environment)["executor"]
    assert executor == ("CeleryExecutor" if rendered.environment == "prod" else "LocalExecutor")
    assert bool(rendered.named("Deployment", "etl-worker")) == (executor == "CeleryExecutor")


def test_every_container_is_held_to_the_same(rendered: Rendered) -> None:
    for pod in rendered.pods():
        user = pod["securityContext"]
        assert (user["runAsNonRoot"], user["runAsUser"]) == (True, 10001)
        assert user["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            held = container["securityContext"]
            assert (held["readOnlyRootFilesystem"], held["allowPrivilegeEscalation"]) == (True, False)
            assert held["capabilities"] == {"drop": ["ALL"]}
            assert {"cpu", "memory"} == set(container["resources"]["requests"]) == set(container["resources"]["limits"])
            assert {mount["mountPath"] for mount in container["volumeMounts"]} >= {"/tmp"}  # noqa: S108


def test_secrets_are_files_and_no_value_is_in_the_chart(rendered: Rendered) -> None:
    known = {variable.name for variable in VARIABLES}
    for pod in rendered.pods():
        mounted = {volume["name"]: volume for volume in pod["volumes"]}
        for container in pod["containers"]:
            named = {v["name"]: v["value"] for v in container.get("env", []) if v["name"].endswith(("_FILE", "_CMD"))}
            for name, value in named.items():
                variable = name.rpartition("_")[0]
                assert variable in known or variable.startswith("AIRFLOW__"), name
                paths = [
                    item["path"]
                    for source in mounted["secrets"]["projected"]["sources"]
                    for item in source["secret"]["items"]
                ]
                assert value.split()[-1] == f"/run/secrets/insights/{variable}"
                assert variable in paths
            # A value that is a secret or an address has no place in a manifest.
            assert {v["name"] for v in container.get("env", [])} & {v.name for v in VARIABLES if v.is_secret} == set()
    assert rendered.of("Secret") == []


def test_the_service_reads_as_the_read_only_role(prod: Rendered) -> None:
    def role(component: str) -> str:
        sources = next(v for v in prod.pod(component)["volumes"] if v["name"] == "secrets")["projected"]["sources"]
        return next(
            str(source["secret"]["name"])
            for source in sources
            if source["secret"]["items"][0]["path"] == "INSIGHTS_WAREHOUSE_URL"
        )

    assert role("reports-api") == "orgo-insights-reader"
    assert role("etl-worker") == role("metrics-exporter") == "orgo-insights-loader"


def test_the_configuration_is_the_shipped_one_with_the_changes(
    rendered: Rendered, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = rendered.one("ConfigMap", "config")["data"]["config.yaml"]
    shipped = yaml.safe_load((PROJECT / CONFIG_FILE).read_text("utf-8"))
    shipped["insights"]["reports_api"]["threads"] = 3
    assert yaml.safe_load(text) == shipped
    (tmp_path / "insights").mkdir()
    (tmp_path / "insights/config.yaml").write_text(text, "utf-8")
    monkeypatch.setenv("INSIGHTS_CONFIG", str(tmp_path))
    assert load_settings().insights.reports_api.threads == 3


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (
            {"reportsApi": {"replica": {"min": 3, "max": 8}}},
            "/reportsApi': additional properties 'replica' not allowed",
        ),
        ({"environment": "production"}, "/environment': value must be one of 'dev', 'staging', 'prod', 'offline'"),
        ({"etlWorker": {"executor": "KubernetesExecutor"}}, "/etlWorker/executor': value must be one of"),
        ({"secrets": {"reader": {"INSIGHTS_EXPORT_KEY": {"key": "k"}}}}, "missing property 'secret'"),
        ({"redis": {"replicas": 3}}, "redis.replicas must be 1"),
        ({"configFiles": {"config.yaml": "x: 1"}}, "keys of config.yaml belong to `config`"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused(values: dict[str, Any], says: str) -> None:
    with pytest.raises(HelmError, match=re.escape(says)):
        render("prod", values)


def test_a_pod_serves_once_it_reached_the_warehouse_and_stays(rendered: Rendered) -> None:
    container = rendered.container("reports-api")
    paths = {probe: container[f"{probe}Probe"]["httpGet"]["path"] for probe in ("startup", "readiness", "liveness")}
    assert paths == {"startup": "/readyz", "readiness": "/healthz", "liveness": "/healthz"}


def test_ports_are_those_of_the_configuration(prod: Rendered) -> None:
    insights = load_settings().insights
    assert prod.container("reports-api")["ports"][0]["containerPort"] == insights.reports_api.port
    assert prod.container("metrics-exporter")["ports"][0]["containerPort"] == insights.metrics.port
    policies = {policy["metadata"]["name"]: policy["spec"] for policy in prod.of("NetworkPolicy")}
    assert policies["insights-reports-api"]["ingress"][0]["ports"] == [
        {"protocol": "TCP", "port": insights.reports_api.port}
    ]


def test_every_pod_is_covered_by_a_network_policy(prod: Rendered) -> None:
    covered = {
        policy["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/component"]
        for policy in prod.of("NetworkPolicy")
    }
    assert {template["metadata"]["labels"]["app.kubernetes.io/component"] for template in prod.templates()} == covered
    policies = {policy["metadata"]["name"]: policy["spec"] for policy in prod.of("NetworkPolicy")}
    assert all(set(spec["policyTypes"]) == {"Ingress", "Egress"} for spec in policies.values())
    assert policies["insights-redis"]["egress"] == []


def test_nobody_is_let_in_where_no_peer_is_named() -> None:
    # An empty `from` admits everybody.
    closed = render("prod", {"networkPolicy": {"gateway": [], "prometheus": []}})
    rules = {policy["metadata"]["name"]: policy["spec"]["ingress"] for policy in closed.of("NetworkPolicy")}
    assert (rules["insights-reports-api"], rules["insights-metrics-exporter"]) == ([], [])
    assert all(rule["from"] for ingress in rules.values() for rule in ingress)
    assert [problem for policy in closed.of("NetworkPolicy") for problem in problems(policy)] == []


def test_one_pod_at_a_time_may_be_moved(prod: Rendered) -> None:
    budgets = {
        budget["metadata"]["name"]: budget["spec"]["maxUnavailable"] for budget in prod.of("PodDisruptionBudget")
    }
    assert budgets == {"insights-reports-api": 1, "insights-etl-worker": 1}


def test_init_runs_before_an_installation_and_an_upgrade(rendered: Rendered) -> None:
    job = rendered.one("Job", "init")
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    needed = {v["configMap"]["name"] for v in job["spec"]["template"]["spec"]["volumes"] if "configMap" in v}
    hooked = {
        config["metadata"]["name"]
        for config in rendered.of("ConfigMap")
        if "helm.sh/hook" in config["metadata"].get("annotations", {})
    }
    assert needed <= hooked  # nothing else exists yet


def test_the_rules_and_scrapes_are_those_of_the_repository(prod: Rendered) -> None:
    rules = yaml.safe_load((PROJECT / "deploy/prometheus/insights.rules.yaml").read_text("utf-8"))
    assert prod.one("PrometheusRule", "rules")["spec"] == rules
    ports = {
        monitor["metadata"]["name"]: monitor["spec"]["podMetricsEndpoints"][0]["port"]
        for monitor in prod.of("PodMonitor")
    }
    assert ports == {"insights-reports-api": "http", "insights-metrics-exporter": "metrics"}


@pytest.mark.parametrize(("environment", "schedule"), [("prod", "45 */4 * * *"), ("staging", "45 0 * * *")])
def test_airflows_metadata_is_dumped_where_it_is_enabled(environment: str, schedule: str) -> None:
    # Specification, section 2.2: every four hours in prod, daily in staging.
    assert render(environment).of("CronJob") == []
    rendered = render(environment, {"airflowBackup": {"enabled": True}})
    (job,) = rendered.of("CronJob")
    assert problems(job) == []
    assert (job["spec"]["schedule"], job["spec"]["timeZone"]) == (schedule, "Etc/UTC")
    assert job["spec"]["concurrencyPolicy"] == "Forbid"


def test_the_version_is_that_of_the_product() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))
    version = re.findall(r'^version = "(.*)"$', (PROJECT / "pyproject.toml").read_text("utf-8"), re.M)[0]
    assert chart["version"] == chart["appVersion"] == version == airflow("prod")["images"]["airflow"]["tag"]


def test_every_value_is_used() -> None:
    base = {"airflowBackup": {"enabled": True}}
    values = merged(yaml.safe_load((CHART / "values.yaml").read_text("utf-8")), base)
    before = render("prod", base).resources
    assert [".".join(path) for path, value in leaves(values) if not is_used(path, value, base, before)] == []


def test_a_value_that_is_not_used_is_found() -> None:
    before = render("prod").resources
    assert not is_used(("global", "unused"), {}, {}, before)


def is_used(path: tuple[str, ...], value: object, base: Mapping[str, Any], before: list[Resource]) -> bool:
    """Return whether another value makes other resources, or is refused by a template."""
    tree: Any = OTHER.get(".".join(path), another(value))
    for name in reversed(path):
        tree = {name: tree}
    try:
        return render("prod", merged(base, tree)).resources != before
    except HelmError as refused:
        assert "execution error at" in str(refused), refused  # not by the schema, which says nothing about the use
        return True


# Other values of those of which a schema allows only some.
OTHER: dict[str, object] = {
    "environment": "staging",
    "image.pullPolicy": "Always",
    "etlWorker.executor": "LocalExecutor",
    "redis.maxmemory": "64mb",
}


def another(value: object) -> object:
    """Return another value of the same type."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case str():
            return f"{value}1"
        case list():
            return [] if value else [{"name": "other"}]
        case dict() if value:
            return {name: another(each) for name, each in value.items()}
    return {"dags.yaml": "1"}  # of texts by name


def leaves(values: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the path and the value of each value that is no group of others: resources and secrets are single ones."""
    for name, value in values.items():
        if isinstance(value, dict) and value and not value.keys() & {"secret", "requests"}:
            yield from leaves(value, (*above, name))
        else:
            yield (*above, name), value
