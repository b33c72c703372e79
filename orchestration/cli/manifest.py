"""`insights manifest`: parse the dbt project for Airflow."""

from __future__ import annotations

import click

from orchestration.cli.texts import say


@click.command(epilog="Example: insights manifest")
def manifest() -> None:
    """Parse the dbt project and write the manifest for Airflow.

    Airflow makes its DAGs from this file. Run it after each change of the dbt project.
    """
    from orchestration.config.files import load_settings
    from orchestration.manifest import write_manifest

    say(str(write_manifest(load_settings())))
