"""Runs the service in one process, until a signal ends it; requests that have begun are answered first."""

from __future__ import annotations

import logging
import signal
import sys

import uvicorn

from orchestration.api import observed
from orchestration.api.app import application
from orchestration.api.service import Service
from orchestration.config.files import Settings

DRAIN_SECONDS = 10  # longer than any answer takes
KEEP_ALIVE_SECONDS = 5
MAX_HEADER_BYTES = 16_384  # of the request line and all headers together; more is a 400


def serve(settings: Settings, trusts_gateway: bool = False, host: str | None = None) -> None:
    """Listen on `host`, else `reports_api.host`, and `reports_api.port` until SIGTERM or SIGINT.

    Raises like `Service.open`.
    """
    _log()
    # uvicorn raises a signal that has ended it once more; this leaves the exit code 0.
    signal.signal(signal.SIGTERM, lambda *_: None)
    server(Service.open(settings, trusts_gateway), host).run()


def server(service: Service, host: str | None = None) -> uvicorn.Server:
    """Return uvicorn's server for a service, on `host`, else on `reports_api.host`."""
    rules = service.settings.insights.reports_api
    return uvicorn.Server(
        uvicorn.Config(
            application(service),
            host=host or rules.host,
            port=rules.port,
            http="h11",
            h11_max_incomplete_event_size=MAX_HEADER_BYTES,
            ws="none",
            proxy_headers=False,  # nothing here depends on the address of the client
            server_header=False,
            access_log=False,
            log_config=None,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
    )


def _log() -> None:
    """Write what happens to standard error, and one line for each answer to standard output."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    answers = logging.getLogger(observed.__name__)
    answers.propagate = False
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(message)s"))
    answers.addHandler(handler)
