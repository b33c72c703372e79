"""The command `insights`. Each command parses its options, calls one function and prints the result."""

from __future__ import annotations

import os

import click

from orchestration.cli import build, prepare, show
from orchestration.cli.api import api
from orchestration.cli.config import config as config_group
from orchestration.cli.dashboard import dashboard, dashboards
from orchestration.cli.entry import run
from orchestration.cli.export import export, exports
from orchestration.cli.lists import organizations, roles, users
from orchestration.cli.manifest import manifest
from orchestration.cli.monitoring import alerts, doctor, metrics
from orchestration.cli.operate.backup import backup
from orchestration.cli.operate.digest import digest
from orchestration.cli.operate.publish import publish
from orchestration.cli.operate.replicate import replicate
from orchestration.cli.operate.snapshot import snapshot
from orchestration.cli.patterns import patterns
from orchestration.cli.purge import purge
from orchestration.cli.reader import reader
from orchestration.cli.reviews import reviews
from orchestration.cli.sections import Commands
from orchestration.cli.semantics import semantic_models
from orchestration.cli.warm import warm


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="orgo-insights")
@click.option("--project-dir", help="Folder of the dbt project and configuration. [env: INSIGHTS_PROJECT_DIR]")
@click.option("--config", help="Another config.yaml, or a folder like config/. [env: INSIGHTS_CONFIG]")
def commands(project_dir: str | None, config: str | None) -> None:
    """Build, test and use a star schema of Orgo's operational tables."""
    # Variables, because the processes of a command read them too. Modules that read them are imported by the commands.
    given = {"INSIGHTS_PROJECT_DIR": project_dir, "INSIGHTS_CONFIG": config}
    os.environ.update({name: value for name, value in given.items() if value})


commands.add_section("Look", (show.status, dashboards, dashboard, patterns, organizations, roles, users, show.docs))
commands.add_section("Load", (build.build, build.reconcile, build.rebuild, build.run_job, manifest))
commands.add_section("Share", (export, exports, snapshot, replicate, publish, reviews, digest, api, semantic_models))
commands.add_section("Look after", (doctor, backup, purge, warm, metrics, alerts))
commands.add_section("Set up", (prepare.init, config_group, reader, prepare.env, prepare.systemd))


def main() -> None:
    """Run the command `insights`."""
    run(commands)
