"""The sizes of the chart and of the values for Airflow, and what they scale by, as sections 6.1 and 6.2 have them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta

import pytest
import yaml
from helm_python import HelmError
from support.chart.rendered import ENVIRONMENTS, Rendered, airflow, render

from orchestration.config.files import PROJECT
from orchestration.flows import FLOWS, step_timeout

# Specification, section 6.1: replicas, and requests and limits of processors and memory.
TABLE = """
| reports-api         | 3-8 | 250m / 1000m | 512Mi / 2Gi |
| insights-etl-worker | 2-4 | 500m / 2000m | 1Gi / 4Gi   |
| airflow-scheduler   | 1   | 250m / 500m  | 512Mi / 1Gi |
| airflow-webserver   | 1-2 | 250m / 500m  | 512Mi / 1Gi |
| airflow-worker      | 2-6 | 500m / 2000m | 1Gi / 4Gi   |
| insights-redis      | 1-3 | 250m / 1000m | 512Mi / 2Gi |
"""
UNITS = {"m": 0.001, "Mi": 2.0**20, "Gi": 2.0**30}


def quantity(text: str) -> float:
    """Return processors, or bytes of memory."""
    number, unit = re.fullmatch(r"([\d.]+)(m|Mi|Gi|)", text).groups()  # type: ignore[union-attr]
    return float(number) * UNITS.get(unit, 1.0)


def amounts(resources: Mapping[str, Mapping[str, str]]) -> dict[str, tuple[float, float]]:
    """Return the request and the limit of each resource."""
    return {
        name: (quantity(resources["requests"][name]), quantity(resources["limits"][name])) for name in ("cpu", "memory")
    }


def specified(component: str) -> tuple[int, int, dict[str, tuple[float, float]]]:
    """Return the least and most replicas of a component, and its amounts, from the table."""
    cells = next(line for line in TABLE.splitlines() if f" {component} " in line).split("|")[2:5]
    least, _, most = cells[0].strip().partition("-")
    pairs = [tuple(quantity(part.strip()) for part in cell.split("/")) for cell in cells[1:]]
    return int(least), int(most or least), dict(zip(("cpu", "memory"), pairs, strict=True))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def prod() -> Rendered:
    return render("prod")


def test_reports_api_is_as_specified(prod: Rendered) -> None:
    least, most, resources = specified("reports-api")
    scaled = prod.one("ScaledObject", "reports-api")["spec"]
    assert (scaled["minReplicaCount"], scaled["maxReplicaCount"]) == (least, most)
    assert amounts(prod.container("reports-api")["resources"]) == resources


def test_reports_api_scales_by_processors_and_by_latency(prod: Rendered) -> None:
    cpu, latency = prod.one("ScaledObject", "reports-api")["spec"]["triggers"]
    assert (cpu["type"], cpu["metricType"], cpu["metadata"]["value"]) == ("cpu", "Utilization", "70")
    assert (latency["type"], latency["metricType"], latency["metadata"]["threshold"]) == ("prometheus", "Value", "1")
    # Five minutes over a second: the name is that of section 6.3, which the rules of Prometheus record.
    assert latency["metadata"]["query"] == 'min_over_time(reports_api_request_duration_seconds{quantile="0.95"}[5m])'
    recorded = yaml.safe_load((PROJECT / "deploy/prometheus/insights.rules.yaml").read_text("utf-8"))["groups"][0]
    assert "reports_api_request_duration_seconds" in {rule.get("record") for rule in recorded["rules"]}


def test_without_keda_it_scales_by_processors() -> None:
    staging = render("staging")
    (scaler,) = staging.of("HorizontalPodAutoscaler")
    target = {"type": "Utilization", "averageUtilization": 70}
    assert scaler["spec"]["metrics"] == [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    assert staging.of("ScaledObject") == []


def test_the_etl_worker_is_as_specified(prod: Rendered) -> None:
    least, most, resources = specified("insights-etl-worker")
    scaled = prod.one("ScaledObject", "etl-worker")["spec"]
    assert (scaled["minReplicaCount"], scaled["maxReplicaCount"]) == (least, most)
    assert amounts(prod.container("etl-worker")["resources"]) == resources


def test_the_etl_worker_scales_by_runnable_tasks_of_its_queue_and_by_delay(prod: Rendered) -> None:
    worker = prod.container("etl-worker")
    queue = worker["args"][worker["args"].index("--queues") + 1]
    tasks, delay = prod.one("ScaledObject", "etl-worker")["spec"]["triggers"]
    assert tasks["type"] == "postgresql"
    assert f"queue = '{queue}' and state in ('scheduled', 'queued', 'running')" in tasks["metadata"]["query"]
    assert delay["metadata"]["query"] == "max(insights_etl_dag_delay_minutes)"
    query = airflow("prod")["workers"]["keda"]["query"]
    assert "queue = 'default'" in query
    assert queue != "default"


def test_a_worker_waits_for_the_longest_step(prod: Rendered) -> None:
    longest = max(step_timeout(flow) for flow in FLOWS.values())
    grace = prod.pod("etl-worker")["terminationGracePeriodSeconds"]
    assert timedelta(seconds=grace) >= longest
    assert airflow("prod")["workers"]["terminationGracePeriodSeconds"] == grace


def test_redis_is_as_specified(prod: Rendered) -> None:
    least, most, resources = specified("insights-redis")
    assert least <= prod.one("StatefulSet", "redis")["spec"]["replicas"] <= most
    assert amounts(prod.container("redis")["resources"]) == resources


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_redis_evicts_before_its_memory_ends(environment: str) -> None:
    rendered = render(environment)
    settings = rendered.one("ConfigMap", "redis")["data"]["redis.conf"]
    maxmemory = int(re.findall(r"^maxmemory (\d+)mb$", settings, re.M)[0]) * 2**20
    assert maxmemory <= 0.8 * quantity(rendered.container("redis")["resources"]["limits"]["memory"])
    assert "maxmemory-policy allkeys-lru" in settings


@pytest.mark.parametrize("component", ["scheduler", "webserver"])
def test_airflow_is_as_specified(component: str) -> None:
    least, most, resources = specified(f"airflow-{component}")
    values = airflow("prod")[component]
    assert least <= values["replicas"] <= most
    assert amounts(values["resources"]) == resources


def test_airflows_workers_are_as_specified() -> None:
    least, most, resources = specified("airflow-worker")
    values = airflow("prod")["workers"]
    assert (values["keda"]["minReplicaCount"], values["keda"]["maxReplicaCount"]) == (least, most)
    assert amounts(values["resources"]) == resources


def test_no_other_environment_is_larger_than_prod(prod: Rendered) -> None:
    for environment in ("staging", "dev"):
        smaller = render(environment)
        for component in ("reports-api", "redis"):
            here, there = (amounts(each.container(component)["resources"]) for each in (smaller, prod))
            assert all(here[name][side] < there[name][side] for name in here for side in (0, 1)), (
                environment,
                component,
            )
        scaler = smaller.one("HorizontalPodAutoscaler", "reports-api")["spec"]
        assert scaler["maxReplicas"] <= 3


def test_the_connections_of_all_replicas_are_within_the_limit(prod: Rendered) -> None:
    insights = yaml.safe_load(prod.one("ConfigMap", "config")["data"]["config.yaml"])["insights"]
    most = prod.one("ScaledObject", "reports-api")["spec"]["maxReplicaCount"]
    # Each thread has a connection, and readiness another. A pod that is ending keeps them while its successor starts.
    assert (most + 1) * (insights["reports_api"]["threads"] + 1) <= insights["warehouse"]["reader_limits"][
        "connections"
    ]
    spec = prod.one("Deployment", "reports-api")["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}
    # No second pod ends before the first has.
    assert spec["minReadySeconds"] >= spec["template"]["spec"]["terminationGracePeriodSeconds"]


def test_a_single_replica_serves_until_its_successor_does() -> None:
    dev = render("dev").one("Deployment", "reports-api")["spec"]
    assert dev["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


def test_more_connections_than_the_limit_are_refused() -> None:
    threads = {"config": {"insights": {"reports_api": {"threads": 4}}}}
    # (8 + 1) * (4 + 1)
    with pytest.raises(HelmError, match=r"8 replicas of reports-api with 4 threads open 45 connections, .* is 40"):
        render("prod", threads)
    assert render("staging", threads).resources  # (3 + 1) * (4 + 1) = 20
