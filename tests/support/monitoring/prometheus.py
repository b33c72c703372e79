"""A Prometheus of its own, with the rules that the project ships."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.api.server import free_port

from orchestration.config.files import PROJECT
from workshop.services.prometheus import prometheus_programs

RULES = PROJECT / "deploy/prometheus/insights.rules.yaml"
CONFIGURATION = """
global: {{ scrape_interval: 1s, evaluation_interval: 1s }}
rule_files: ["{rules}"]
scrape_configs:
{jobs}
"""
PATIENCE_SECONDS = 90


@dataclass(frozen=True)
class Prometheus:
    """A running Prometheus."""

    url: str

    def ask(self, expression: str) -> list[dict[str, Any]]:
        """Return the samples of an expression now; an error of Prometheus raises HTTPError."""
        found: list[dict[str, Any]] = self._get("query", query=expression)["result"]
        return found

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire."""
        return {a["labels"]["alertname"] for a in self._get("alerts")["alerts"] if a["state"] == "firing"}

    def _get(self, what: str, **parameters: str) -> Any:
        address = f"{self.url}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(address, timeout=30) as answer:  # noqa: S310 -- the address is its own
            return json.load(answer)["data"]


@contextmanager
def prometheus(folder: Path, **ports: int) -> Iterator[Prometheus]:
    """Run Prometheus for a block; it scrapes these jobs on ports of this machine each second."""
    jobs = "\n".join(
        f'  - {{ job_name: {job}, static_configs: [{{ targets: ["127.0.0.1:{port}"] }}] }}'
        for job, port in ports.items()
    )
    file = folder / "prometheus.yaml"
    file.write_text(CONFIGURATION.format(rules=RULES, jobs=jobs), "utf-8")
    address = f"127.0.0.1:{free_port()}"
    command = [
        str(prometheus_programs() / "prometheus"),
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
        "--log.level=error",
    ]
    with subprocess.Popen(command) as process:
        try:
            made = Prometheus(f"http://{address}")
            wait_for(lambda: process.poll() is not None or _is_ready(made))
            assert process.poll() is None
            yield made
        finally:
            process.terminate()


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def _is_ready(made: Prometheus) -> bool:
    try:
        return made.ask("vector(1)") != []
    except (urllib.error.URLError, ConnectionError):
        return False
