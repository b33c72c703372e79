"""Take the screenshots of Airflow in docs/images.

Run `./dev airflow run`, then `INSIGHTS_ENV=prod python docs/images/airflow_screenshots.py`. The script needs the
private Airflow of this checkout to be running, and Chromium on PATH. It controls Chromium over the DevTools protocol on
a pair of pipes (file descriptors 3 and 4), which needs no library.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from orchestration.config.files import PROJECT, load_settings
from orchestration.errors import FailedError, InsightsError, MisconfiguredError, NotFoundError, UnavailableError
from workshop import airflow_demo
from workshop.services import LocalAirflow
from workshop.services.airflow_api import AirflowApi
from workshop.services.airflow_secrets import USER

IMAGES = PROJECT / "docs/images"
GRAPH_DAG = "insights_daily_events_load"
LIST_SIZE = (1640, 640)
GRAPH_SIZE = (1640, 1240)
# Airflow renders the graph in a shadow tree.
GRAPH_READY = "[...document.querySelectorAll('*')].some(e => e.shadowRoot?.querySelector('.react-flow__node'))"
WAIT_SECONDS = 60
SETTLE_SECONDS = 3  # for animations
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
]


@dataclass
class Page:
    """A page of Chromium, controlled by messages that end with a zero byte."""

    commands: IO[bytes]
    responses: IO[bytes]
    session: str | None = None
    _number: int = field(default=0)

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send one command and return its result. Raises FailedError when Chromium refuses it."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.commands.write(json.dumps(message).encode() + b"\0")
        self.commands.flush()
        while True:
            response = json.loads(self._read_message())
            if response.get("id") == self._number:
                if "error" in response:
                    raise FailedError(f"Chromium refuses {method}: {response['error']['message']}")
                result: dict[str, Any] = response["result"]
                return result

    def attach(self) -> None:
        """Open an empty page and direct the following commands to it."""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def value(self, script: str) -> Any:
        """Return the value of a JavaScript expression on the page."""
        return self.send("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    def open(self, url: str, ready: str) -> None:
        """Open `url` and wait until the JavaScript expression `ready` is true."""
        self.send("Page.navigate", url=url)
        self.wait(ready)

    def wait(self, ready: str) -> None:
        """Wait until the JavaScript expression `ready` is true. Raises FailedError with the page's text otherwise."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not self.value(f"document.readyState === 'complete' && !!({ready})"):
            if time.monotonic() > deadline:
                text = self.value("document.body.innerText")
                raise FailedError(f"{ready} is not true after {WAIT_SECONDS} s on a page with the text:\n{text[:800]}")
            time.sleep(0.2)
        time.sleep(SETTLE_SECONDS)

    def resize(self, size: tuple[int, int]) -> None:
        """Set the window's width and height in pixels."""
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.send("Emulation.setDeviceMetricsOverride", **metrics)

    def save(self, path: Path) -> None:
        """Write a screenshot of the window to `path`."""
        screenshot = self.send("Page.captureScreenshot", format="png")["data"]
        path.write_bytes(base64.b64decode(screenshot))
        sys.stdout.write(f"{path}  {path.stat().st_size:,} bytes\n")

    def _read_message(self) -> bytes:
        message = bytearray()
        while (byte := self.responses.read(1)) != b"\0":
            if not byte:
                raise FailedError("Chromium ended unexpectedly: run the script again")
            message += byte
        return bytes(message)


@contextmanager
def chromium() -> Iterator[Page]:
    """Start Chromium with a temporary profile, yield a page, and end Chromium afterwards."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        raise MisconfiguredError("Chromium was not found on PATH: install the package chromium")
    to_read, to_write = os.pipe()
    from_read, from_write = os.pipe()
    with tempfile.TemporaryDirectory() as profile:
        run = f'exec "$@" 3<&{to_read} 4>&{from_write}'
        command = ["bash", "-c", run, "bash", program, *FLAGS, f"--user-data-dir={profile}"]
        with subprocess.Popen(command, pass_fds=[to_read, from_write], stderr=subprocess.DEVNULL) as process:
            os.close(to_read)
            os.close(from_write)
            with os.fdopen(to_write, "wb") as commands, os.fdopen(from_read, "rb") as responses:
                try:
                    page = Page(commands, responses)
                    page.attach()
                    yield page
                finally:
                    process.terminate()


def log_in(page: Page, airflow: LocalAirflow) -> None:
    """Log in through Airflow's login form."""
    page.open(f"{airflow.url}/login/", "document.querySelector('#password')")
    name, password = json.dumps(USER), json.dumps(airflow.secrets.password)
    page.value(
        f"document.querySelector('#username').value = {name},"
        f"document.querySelector('#password').value = {password},"
        "document.querySelector('form[name=login]').submit()"
    )
    page.wait("location.pathname === '/home'")


def main() -> None:
    """Take screenshots of the list of DAGs and of the graph of one DAG."""
    job = airflow_demo.describe(load_settings())
    airflow = airflow_demo.private_airflow(job)
    if not airflow.is_running():
        raise UnavailableError("Airflow does not run. Start it first: ./dev airflow")
    with chromium() as page:
        log_in(page, airflow)
        page.resize(LIST_SIZE)
        page.open(f"{airflow.url}/home", "document.querySelector('svg circle')")
        page.save(IMAGES / "airflow-grid.png")
        page.resize(GRAPH_SIZE)
        page.open(f"{airflow.url}/dags/{GRAPH_DAG}/grid?tab=graph&dag_run_id={quote(last_run(airflow))}", GRAPH_READY)
        page.save(IMAGES / "airflow-graph.png")


def last_run(airflow: LocalAirflow) -> str:
    """Return the id of the newest run of GRAPH_DAG. Raises NotFoundError when there is none."""
    runs = AirflowApi(airflow).runs(GRAPH_DAG)
    if not runs:
        raise NotFoundError(f"{GRAPH_DAG} has no run. Start one first: ./dev airflow run")
    return runs[-1].run_id


if __name__ == "__main__":
    try:
        main()
    except InsightsError as error:
        sys.exit(f"error: {error}")
