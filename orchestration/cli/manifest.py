"""`insights manifest`: what Airflow's DAGs are made from."""

from __future__ import annotations

import click

from orchestration.config.files import load_settings
from orchestration.manifest import write_manifest


@click.command()
def manifest() -> None:
    """Parse the dbt project for Airflow, which makes its DAGs from the result; after every change of the project."""
    click.echo(write_manifest(load_settings()))
