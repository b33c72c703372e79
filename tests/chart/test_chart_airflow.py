"""The values for Airflow's own chart: configuration, secrets and pods that fit those of the chart of Insights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from support.chart.rendered import ENVIRONMENTS, Rendered, airflow, problems, render

from orchestration.config.files import PROJECT, load_settings
from orchestration.config.secrets.by_file import takes_file
from orchestration.config.variables import VARIABLES

CHANGES = {
    "config": {"insights": {"etl": {"queue": "loads"}}},
    "configFiles": {"dags.yaml": "# dags", "organization_profiles.yaml": "# profiles"},
}


@pytest.fixture(scope="module", params=ENVIRONMENTS)
def values(request: pytest.FixtureRequest) -> dict[str, Any]:
    return airflow(request.param)


def variables(values: dict[str, Any]) -> dict[str, str]:
    """Return the variables that each of Airflow's containers has, as its chart puts them together."""
    return {each["name"]: each["value"] for each in [*values["env"], *yaml.safe_load(values["extraEnv"])]}


def mounted(values: dict[str, Any], path: str) -> list[dict[str, Any]]:
    """Return the sources of the projected volume that is mounted at a path."""
    (name,) = (mount["name"] for mount in values["volumeMounts"] if mount["mountPath"] == path and mount["readOnly"])
    (volume,) = (volume for volume in values["volumes"] if volume["name"] == name)
    sources: list[dict[str, Any]] = volume["projected"]["sources"]
    return sources


def test_what_its_pods_mount_is_valid(values: dict[str, Any]) -> None:
    container = {
        "name": "airflow",
        "env": [*values["env"], *yaml.safe_load(values["extraEnv"])],
        "envFrom": yaml.safe_load(values["extraEnvFrom"]),
        "volumeMounts": values["volumeMounts"],
    }
    spec = {"containers": [container], "volumes": values["volumes"]}
    assert problems({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "airflow"}, "spec": spec}) == []


def test_its_pods_read_the_merged_configuration(
    values: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = variables(values)["INSIGHTS_ENV"]
    config = render(environment, CHANGES).one("ConfigMap", "config")
    place = variables(values)["INSIGHTS_CONFIG"]
    found = project(config, mounted(values, place), tmp_path)
    assert found == {"insights/config.yaml", "insights/dags.yaml", "organization_profiles.yaml"}
    # Texts of the test, which are no configuration.
    (tmp_path / "insights/dags.yaml").unlink()
    (tmp_path / "organization_profiles.yaml").unlink()
    monkeypatch.setenv("INSIGHTS_CONFIG", str(tmp_path))
    monkeypatch.setenv("INSIGHTS_ENV", environment)
    assert load_settings().insights.etl.queue == "loads"


def test_only_files_that_the_chart_may_leave_out_are_optional(values: dict[str, Any], tmp_path: Path) -> None:
    environment = variables(values)["INSIGHTS_ENV"]
    sources = mounted(values, variables(values)["INSIGHTS_CONFIG"])
    assert project(render(environment).one("ConfigMap", "config"), sources, tmp_path) == {"insights/config.yaml"}
    with pytest.raises(KeyError):  # a pod would not start with the shipped configuration in place of the merged one
        project({"metadata": {"name": "of-another-release"}, "data": {}}, sources, tmp_path)


def project(config: dict[str, Any], sources: list[dict[str, Any]], folder: Path) -> set[str]:
    """Write the files that Kubernetes would make of the only ConfigMap there is, and return their paths."""
    paths = set()
    for source in (source["configMap"] for source in sources):
        data = config["data"] if source["name"] == config["metadata"]["name"] else {}
        for item in source["items"]:
            if item["key"] not in data and source.get("optional"):
                continue
            file = folder / item["path"]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(data[item["key"]], "utf-8")
            paths.add(item["path"])
    return paths


def test_its_secrets_are_the_files_that_variables_name(values: dict[str, Any]) -> None:
    # A file that is named and not there is an error of every command, so none of them is optional.
    files: dict[str, tuple[str, str]] = {}
    for source in (source["secret"] for source in mounted(values, "/run/secrets/insights")):
        assert not source.get("optional")
        files |= {item["path"]: (source["name"], item["key"]) for item in source["items"]}
    named = {name.removesuffix("_FILE"): path for name, path in variables(values).items() if name.endswith("_FILE")}
    assert named == {name: f"/run/secrets/insights/{name}" for name in files}
    assert all(takes_file(name) for name in named)
    loader = yaml.safe_load((PROJECT / "deploy/helm/orgo-insights/values.yaml").read_text("utf-8"))
    assert files == {name: (of["secret"], of["key"]) for name, of in loader["secrets"]["loader"].items()}


def test_what_steps_may_need_comes_from_an_optional_secret(values: dict[str, Any]) -> None:
    assert yaml.safe_load(values["extraEnvFrom"]) == [{"secretRef": {"name": "orgo-insights-steps", "optional": True}}]
    page = (PROJECT / "docs/deployment/kubernetes.md").read_text("utf-8")
    # What alerts, exports and reviews read, but for what a cluster has no use for.
    uses = ("DAGs, insights alerts", "exports", "insights reviews send")
    wanted = {v.name for v in VARIABLES if v.used_by.startswith(uses)} - {"INSIGHTS_EXPORT_DIR"}
    assert len(wanted) == 7
    (paragraph,) = (part for part in page.split("\n\n") if "keys\n   of `orgo-insights-steps`" in part)
    assert {name for name in wanted if f"`{name}`" not in paragraph} == set()


def test_no_container_needs_a_file_that_only_the_image_of_apache_has(values: dict[str, Any]) -> None:
    # Airflow's chart runs /clean-logs in these unless they are off.
    assert [values[pod]["logGroomerSidecar"] for pod in ("scheduler", "workers")] == [{"enabled": False}] * 2
    assert values["triggerer"] == {"enabled": False}


def test_the_webserver_finds_the_logs_of_any_worker(values: dict[str, Any]) -> None:
    worker = render("prod").container("etl-worker")["env"]
    (callable_,) = (v["value"] for v in worker if v["name"] == "AIRFLOW__CORE__HOSTNAME_CALLABLE")
    assert values["config"]["core"]["hostname_callable"] == callable_


def test_keda_reads_the_address_that_airflow_reads() -> None:
    prod: Rendered = render("prod")
    (reference,) = prod.one("TriggerAuthentication", "etl-worker")["spec"]["secretTargetRef"]
    # The key that Airflow's chart expects in the secret of its metadata, also for the scaler of its own workers.
    assert (reference["name"], reference["key"]) == (airflow("prod")["data"]["metadataSecretName"], "connection")
    assert airflow("prod")["pgbouncer"] == {"enabled": False}
