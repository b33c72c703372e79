"""The command `insights api` in a process of its own: it answers, logs, drains after SIGTERM, or says why not."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml
from support.api.server import free_port
from support.api.tokens import SECRET, token
from support.dashboards.dashboard_scenario import HOSPITAL
from support.warehouse import Warehouse, connect_as

from orchestration.config.files import CONFIG_FILE, PROJECT

pytestmark = pytest.mark.services

INSIGHTS = Path(sys.executable).with_name("insights")


def configured(folder: Path, **values: Any) -> tuple[Path, int]:
    """Return a configuration with a free port, and the port."""
    port = free_port()
    document = yaml.safe_load((PROJECT / CONFIG_FILE).read_text("utf-8"))
    document["insights"]["reports_api"] |= {"port": port, "timeout_ms": 60_000} | values
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump(document), "utf-8")
    return file, port


def get(port: int, path: str, bearer: str = "") -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request("GET", path, headers={"Authorization": f"Bearer {bearer}"})
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def wait_until_it_answers(process: subprocess.Popen[str], port: int) -> None:
    while True:
        assert process.poll() is None, process.communicate()
        try:
            assert get(port, "/healthz") == (200, {"status": "ok"})
            return
        except ConnectionRefusedError:
            time.sleep(0.05)


def test_the_service_answers_and_drains(built: Warehouse, tmp_path: Path) -> None:
    file, port = configured(tmp_path, host="192.0.2.1")  # no address of this machine, but --host is
    id_ = str(built.value("select id from organizations where slug = %s", HOSPITAL))
    variables = {
        "INSIGHTS_CONFIG": str(file),
        "INSIGHTS_TOKEN_SECRET": SECRET,
        "INSIGHTS_WAREHOUSE_URL": built.reader_url,
    }
    process = subprocess.Popen(
        [INSIGHTS, "api", "--host", "127.0.0.1"],
        env=os.environ | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until_it_answers(process, port)
        path, bearer = f"/v1/organizations/{id_}/dashboards/overview", token(id_, sub="alice@example.org")
        assert get(port, f"{path}?days=13", bearer)[0] == 200
        answers: list[int] = []
        with connect_as(built.admin_url) as other, other.transaction():
            other.execute("lock table insights.report_sla_breaches in access exclusive mode")
            asking = Thread(target=lambda: answers.append(get(port, path, bearer)[0]))
            asking.start()
            while not other.execute("select 1 from pg_locks where not granted").fetchall():
                time.sleep(0.02)
            process.send_signal(signal.SIGTERM)
            while _listens(port):
                time.sleep(0.02)
            assert process.poll() is None
        asking.join()
        output, errors = process.communicate()
    finally:
        process.kill()
    assert (answers, process.returncode) == ([200], 0), errors
    lines = [json.loads(line) for line in output.splitlines()]
    assert [(line["status"], line["outcome"]) for line in lines] == [(200, "bypassed"), (200, "bypassed")]
    assert lines[0]["route"] == "/v1/organizations/{organization_id}/dashboards/overview"
    assert lines[0]["organization_id"] == id_
    assert lines[0]["subject"] == lines[1]["subject"]
    assert lines[0]["request_id"] != lines[1]["request_id"]
    assert all(text not in output + errors for text in ("alice", "days=13", bearer, SECRET))


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_it_does_not_start_without_a_way_to_verify_tokens(tmp_path: Path) -> None:
    for algorithm, variable in (("HS256", "INSIGHTS_TOKEN_SECRET"), ("RS256", "INSIGHTS_TOKEN_JWKS")):
        file, _ = configured(tmp_path, token_algorithm=algorithm)
        variables = {"INSIGHTS_CONFIG": str(file), "INSIGHTS_WAREHOUSE_URL": "postgresql:///nowhere"}
        done = subprocess.run(
            [INSIGHTS, "api"], env=os.environ | variables, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout) == (1, "")
        assert f"the environment variable {variable} is not set" in done.stderr
        assert "Traceback" not in done.stderr


def test_it_does_not_trust_a_gateway_without_a_secret(tmp_path: Path) -> None:
    file, _ = configured(tmp_path)
    variables = {"INSIGHTS_CONFIG": str(file), "INSIGHTS_TOKEN_SECRET": SECRET}
    done = subprocess.run(
        [INSIGHTS, "api", "--trust-proxy-headers"],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "the environment variable INSIGHTS_PROXY_SECRET is not set" in done.stderr


def test_without_its_libraries_it_says_what_to_install(tmp_path: Path) -> None:
    program = "import sys; sys.modules['uvicorn'] = None; from orchestration.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", program, "api"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "The service needs uvicorn: install the requirements of requirements/api.txt" in done.stderr
