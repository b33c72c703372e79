"""`insights api`: start the reporting service."""

from __future__ import annotations

import click

from orchestration.cli import options


@click.command(epilog="Example: insights api")
@options.host
@click.option(
    "--trust-proxy-headers",
    "trusts_gateway",
    is_flag=True,
    help="Believe the headers of a gateway that sends INSIGHTS_PROXY_SECRET; refuse tokens.",
)
def api(host: str | None, trusts_gateway: bool) -> None:
    """Serve the dashboards over HTTP.

    Host, port and threads are in insights.reports_api. The keys of Orgo's access tokens are read from
    INSIGHTS_TOKEN_SECRET or INSIGHTS_TOKEN_JWKS; without them the service does not start. SIGTERM lets running requests
    end. Each answer is one line of JSON on standard output.
    """
    from orchestration.config.files import load_server_settings
    from orchestration.errors import MisconfiguredError

    try:
        from orchestration.api.server import serve
    except ModuleNotFoundError as error:
        raise MisconfiguredError(
            f"The service needs {error.name}: install the requirements of requirements/api.txt."
        ) from error
    serve(load_server_settings(), trusts_gateway, host)
