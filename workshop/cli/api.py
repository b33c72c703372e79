"""The command `workshop api`: the reporting service and its page on the demo, with tokens to paste."""

from __future__ import annotations

import os

import click

from orchestration.cli.texts import say


@click.command()
def api() -> None:
    """Serve the demo's dashboards over HTTP, and their page.

    Prints the address of the page, an access token to paste for each organization and a request to try, then serves
    until it is interrupted. Run the demo first.

    Example: workshop api
    """
    from orchestration.api.server import serve
    from orchestration.config.files import PROJECT, load_settings
    from orchestration.config.secrets.by_file import Variables
    from workshop import demo as job
    from workshop.api_demo import api_variables, example_request, example_tokens, page_address
    from workshop.demo_variables import DAYS, SAMPLE_DATABASE, demo_of
    from workshop.services import state_root

    settings, state = load_settings(), state_root(PROJECT)
    role = settings.insights.warehouse.write_user
    database = demo_of(state, Variables().get("INSIGHTS_WAREHOUSE_URL", ""), role) or SAMPLE_DATABASE
    job.start_services(job.Demo(settings, state, database, DAYS[database]))
    variables = api_variables(settings, state, database)
    page, tokens = page_address(settings), list(example_tokens(settings, variables))
    say(f"The page: {page}")
    say("To log in, paste the access token of an organization:")
    for slug, _, token in tokens:
        say(slug, bold=True)
        say(f"  {token}")
    for _, id_, token in tokens[:1]:
        say("A request, such as a program sends it:")
        say(f"  {example_request(settings, id_, token)}")
    os.environ.update(variables)
    serve(load_settings())
