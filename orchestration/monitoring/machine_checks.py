"""Looks at this machine for `insights doctor`: configuration, manifest, cache, Airflow's pool, room on disks."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib import import_module
from pathlib import Path

from orchestration.cache.servers import FAULTS, open_servers
from orchestration.config.files import Settings, check
from orchestration.config.variables import AIRFLOW_DATABASE
from orchestration.dbt import target_path
from orchestration.manifest import manifest_problem
from orchestration.monitoring.findings import Finding, judged

LEAST_FREE = 0.1
OLDEST_REDIS = 7
EVICTING = ("allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-ttl")


def machine_checks() -> list[Callable[[Settings], Iterator[Finding]]]:
    """Return the checks that need no warehouse."""
    return [_configuration, _manifest, _cache, _pool, _disks, _alerts]


def _configuration(settings: Settings) -> Iterator[Finding]:
    problems = check().problems
    counts = {level: sum(problem.level == level for problem in problems) for level in ("error", "warning")}
    says = f"{counts['error']} errors, {counts['warning']} warnings"
    yield judged("configuration", not any(counts.values()), says, "Run: insights config check")


def _manifest(settings: Settings) -> Iterator[Finding]:
    problem = manifest_problem()
    yield judged("manifest", problem is None, problem or "made from the files that are here", "Run: insights manifest")


def _cache(settings: Settings) -> Iterator[Finding]:
    if not settings.redis_url:
        yield Finding("cache", "attention", "none: every answer is computed", "Set INSIGHTS_REDIS_URL.")
        return
    timeout = settings.insights.cache.timeout_ms / 1000
    try:
        with closing(open_servers(settings.redis_url, timeout)) as servers:
            facts = servers.facts()
    except (*FAULTS, TypeError, ValueError) as error:
        yield Finding(
            "cache", "broken", f"does not answer: {type(error).__name__}", "Look at Redis and INSIGHTS_REDIS_URL."
        )
        return
    versions = sorted({str(one["redis_version"]) for one in facts}, key=_numbers)
    says = f"Redis {', '.join(versions)}" + (f", {len(facts)} primaries" if servers.kind == "cluster" else "")
    yield judged("cache", _numbers(versions[0])[0] >= OLDEST_REDIS, says, f"Use {OLDEST_REDIS} or later.")
    memories = {(int(one.get("maxmemory", 0)) // 1024 // 1024, str(one.get("maxmemory_policy", ""))) for one in facts}
    yield judged(
        "cache memory",
        all(not limit or policy in EVICTING for limit, policy in memories),
        "; ".join(f"{policy}, {limit} MB" if limit else "no limit of memory" for limit, policy in sorted(memories)),
        "Set maxmemory-policy allkeys-lru: a full cache refuses entries.",
    )
    if servers.kind != "server":
        alone = sum(not one.get("connected_slaves") for one in facts)
        says = f"{alone} of {len(facts)} primaries without" if alone else "each primary has one"
        yield judged("cache replicas", not alone, says, "Start replicas, or nothing takes over from that primary.")


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".") if part.isdigit()]


def _pool(settings: Settings) -> Iterator[Finding]:
    if not any(os.environ.get(f"{AIRFLOW_DATABASE}{way}") for way in ("", "_CMD", "_SECRET")):
        yield Finding("Airflow's pool", "ok", f"not looked at: {AIRFLOW_DATABASE} is not set here")
        return
    try:
        problem = import_module("orchestration.dags.pool").pool_problem()  # Airflow is not installed everywhere
    except Exception as error:
        problem = f"Airflow does not answer: {type(error).__name__}"
    yield judged(
        "Airflow's pool", problem is None, problem or "one slot", "Run the command, or look at Airflow.", "broken"
    )


def _disks(settings: Settings) -> Iterator[Finding]:
    places = {"dbt's artifacts": target_path()}
    if directory := os.environ.get("INSIGHTS_EXPORT_DIR"):
        places["exports"] = Path(directory)
    for name, path in places.items():
        there = next((folder for folder in (path, *path.parents) if folder.exists()), Path("/"))
        usage = shutil.disk_usage(there)
        says = f"{usage.free / 2**30:.1f} of {usage.total / 2**30:.1f} GiB free"
        yield judged(f"room for {name}", usage.free >= LEAST_FREE * usage.total, says, f"Make room below {there}.")


def _alerts(settings: Settings) -> Iterator[Finding]:
    places = ["webhook"] * bool(settings.alert_webhook) + ["mail"] * bool(settings.alert_smtp)
    says = ", ".join(places) or "nobody is told when a DAG fails"
    yield judged("alerts", bool(places), says, "Set INSIGHTS_ALERT_WEBHOOK_URL or INSIGHTS_ALERT_SMTP_URL.")
