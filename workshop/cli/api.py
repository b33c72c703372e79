"""The command `workshop api`: the reporting service on the demo, with requests to try."""

from __future__ import annotations

import os

import click

from orchestration.cli.texts import say


@click.command()
def api() -> None:
    """Serve the demo's dashboards over HTTP.

    Prints a request with an access token for each organization, then serves until it is interrupted. Run the demo
    first.

    Example: workshop api
    """
    from orchestration.api.server import serve
    from orchestration.config.files import PROJECT, load_settings
    from workshop import demo as job
    from workshop.api_demo import api_variables, example_requests
    from workshop.demo_variables import DAYS, SAMPLE_DATABASE, demo_of
    from workshop.services import state_root

    settings, state = load_settings(), state_root(PROJECT)
    role = settings.insights.warehouse.write_user
    database = demo_of(state, os.environ.get("INSIGHTS_WAREHOUSE_URL", ""), role) or SAMPLE_DATABASE
    job.start_services(job.Demo(settings, state, database, DAYS[database]))
    variables = api_variables(settings, state, database)
    for slug, command in example_requests(settings, variables):
        say(slug, bold=True)
        say(f"  {command}")
    os.environ.update(variables)
    serve(load_settings())
