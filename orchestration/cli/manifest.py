"""`insights manifest`: what Airflow's DAGs are made from."""

from __future__ import annotations

import click

from orchestration.cli.texts import say


@click.command()
def manifest() -> None:
    """Parse the dbt project for Airflow, which makes its DAGs from the result; after every change of the project."""
    from orchestration.config.files import load_settings
    from orchestration.manifest import write_manifest

    say(str(write_manifest(load_settings())))
