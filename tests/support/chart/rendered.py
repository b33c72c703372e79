"""The chart rendered by Helm's library, and resources checked by the schemas of Kubernetes and its operators."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import cloudcoil.models.keda.v1alpha1 as keda
import cloudcoil.models.prometheus_operator.v1 as prometheus_operator
import helm_python
import kubernetes_validate
import yaml
from pydantic import BaseModel, ValidationError

from orchestration.config.files import PROJECT

CHART = PROJECT / "deploy/helm/orgo-insights"
AIRFLOW_VALUES = PROJECT / "deploy/helm/airflow"
ENVIRONMENTS = ("prod", "staging", "dev")
RELEASE, NAMESPACE = "insights", "insights"
OF_OPERATORS: dict[str, type[BaseModel]] = {
    "PodMonitor": prometheus_operator.PodMonitor,
    "PrometheusRule": prometheus_operator.PrometheusRule,
    "ScaledObject": keda.ScaledObject,
    "TriggerAuthentication": keda.TriggerAuthentication,
}
OLDEST, NEWEST = "1.27.0", "1.36.0"  # of Kubernetes: the chart's kubeVersion, and what the schemas know
Resource = dict[str, Any]


@dataclass(frozen=True)
class Rendered:
    """The resources of a release for one environment."""

    environment: str
    resources: list[Resource]

    def of(self, kind: str) -> list[Resource]:
        """Return the resources of a kind."""
        return [resource for resource in self.resources if resource["kind"] == kind]

    def named(self, kind: str, component: str) -> list[Resource]:
        """Return the resources of a kind and a component; at most one."""
        return [r for r in self.of(kind) if r["metadata"]["name"] == f"{RELEASE}-{component}"]

    def one(self, kind: str, component: str) -> Resource:
        """Return the resource of a kind and a component."""
        (found,) = self.named(kind, component)
        return found

    def pod(self, component: str) -> Resource:
        """Return the specification of the pods of a Deployment or StatefulSet."""
        (found,) = [*self.named("Deployment", component), *self.named("StatefulSet", component)]
        specification: Resource = found["spec"]["template"]["spec"]
        return specification

    def container(self, component: str) -> Resource:
        """Return the one container of these pods."""
        (found,) = self.pod(component)["containers"]
        container: Resource = found
        return container

    def templates(self) -> Iterator[Resource]:
        """Yield the template of the pods of every resource that has pods."""
        for resource in self.resources:
            spec = resource.get("spec", {})
            spec = spec.get("jobTemplate", {}).get("spec", spec)
            if "template" in spec:
                yield spec["template"]

    def pods(self) -> list[Resource]:
        """Return the specifications of all pods."""
        return [template["spec"] for template in self.templates()]

    def containers(self) -> list[Resource]:
        """Return all containers."""
        return [container for pod in self.pods() for container in pod["containers"]]


def render(environment: str, values: Mapping[str, Any] | None = None) -> Rendered:
    """Render the chart for an environment, whose file of values is merged with `values`.

    Raises helm_python.HelmError with the chart's message if it refuses the values.
    """
    file = CHART / f"values-{environment}.yaml"
    given = yaml.safe_load(file.read_text("utf-8")) if file.exists() else {}
    with helm_python.Chart.load(CHART) as chart:
        texts = chart.render(merged(given, values or {}), name=RELEASE, namespace=NAMESPACE)
    found = [
        resource
        for name, text in sorted(texts.items())
        if not name.endswith("NOTES.txt")
        for resource in yaml.safe_load_all(text)
        if resource
    ]
    return Rendered(environment, found)


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return two trees of values as Helm merges two files: the second one wins, key by key."""
    both = {
        name: merged(below[name], value) if isinstance(value, dict) and isinstance(below.get(name), dict) else value
        for name, value in above.items()
    }
    return {**below, **both}


def airflow(environment: str) -> dict[str, Any]:
    """Return the values for Airflow's own chart in an environment."""
    files = ["values.yaml"] if environment == "prod" else ["values.yaml", f"values-{environment}.yaml"]
    found: dict[str, Any] = {}
    for file in files:
        found = merged(found, yaml.safe_load((AIRFLOW_VALUES / file).read_text("utf-8")))
    return found


def problems(resource: Resource) -> list[str]:
    """Return what is wrong with a resource: types, missing keys and keys that do not exist."""
    model = OF_OPERATORS.get(resource["kind"])
    name = f"{resource['kind']} {resource['metadata']['name']}"
    if model is None:
        return [f"{name}: {problem}" for version in (OLDEST, NEWEST) for problem in _unlike_schema(resource, version)]
    try:
        known = model.model_validate(resource).model_dump(mode="json", by_alias=True, exclude_unset=True)
    except ValidationError as error:
        return [f"{name}: {found['loc']}: {found['msg']}" for found in error.errors()]
    return [f"{name}: {path} does not exist" for path in _left_out(resource, known)]


def _unlike_schema(resource: Resource, version: str) -> Iterator[str]:
    try:
        kubernetes_validate.validate(resource, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        yield f"{'.'.join(map(str, error.path))}: {error.message}"


def _left_out(given: object, known: object, path: str = "") -> Iterator[str]:
    """Yield the paths that a model of an operator did not take over."""
    if isinstance(given, dict) and isinstance(known, dict):
        names = {re.sub(r"_$", "", name): value for name, value in known.items()}
        for name, value in given.items():
            if name in names:
                yield from _left_out(value, names[name], f"{path}.{name}")
            else:
                yield f"{path}.{name}"
    elif isinstance(given, list) and isinstance(known, list):
        for value, other in zip(given, known, strict=True):
            yield from _left_out(value, other, path)
