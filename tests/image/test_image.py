"""The images, built and run as their user with a read-only root, on real services; `./dev image` runs this."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from support.api.server import free_port
from support.api.tokens import SECRET, token
from support.chart.rendered import render
from support.dashboards.dashboard_scenario import HOSPITAL
from support.image.images import Builder, Image, builder, contained, missing, run
from support.pooler import Forwarder
from support.warehouse import Warehouse

from orchestration.config.files import CONFIG_FILE, PROJECT
from workshop.services import LocalPostgres, LocalRedis
from workshop.services.postgres import PORT

pytestmark = [
    pytest.mark.services,
    pytest.mark.image,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(bool(missing()), reason=f"not installed: {', '.join(missing())}"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount the files of an image here"),
]

USER = 10001
MB = 1024 * 1024


@pytest.fixture(scope="module")
def figures(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """Yield what was measured, and print it at the end."""
    found: dict[str, str] = {}
    yield found
    lines = "\n".join(f"  {name:<44}{value:>12}" for name, value in found.items())
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        request.config.get_terminal_writer().write(f"\n{lines}\n")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builder]:
    with builder(tmp_path_factory.mktemp("images")) as made:
        yield made


@pytest.fixture(scope="module")
def base(images: Builder) -> str:
    return images.make_base()


def built_image(images: Builder, base: str, target: str, figures: dict[str, str]) -> Image:
    made = images.build(target, base)
    figures[f"{target}: build"] = f"{made.seconds:.0f} s"
    figures[f"{target}: all files"] = f"{made.size / MB:.0f} MiB"
    return made


@pytest.fixture(scope="module")
def api(images: Builder, base: str, figures: dict[str, str]) -> Image:
    return built_image(images, base, "api", figures)


@pytest.fixture(scope="module")
def worker(images: Builder, base: str, figures: dict[str, str]) -> Image:
    return built_image(images, base, "worker", figures)


@pytest.fixture(scope="module")
def airflow(images: Builder, base: str, figures: dict[str, str]) -> Image:
    return built_image(images, base, "airflow", figures)


@pytest.fixture(scope="module")
def port(postgres: LocalPostgres) -> Iterator[int]:
    """Yield a port on which PostgreSQL answers: another user may not reach its socket."""
    with Forwarder(postgres.socket_dir / f".s.PGSQL.{PORT}") as port:
        yield port


def over_tcp(url: str, port: int) -> str:
    """Return the address of a private server with this port in place of its socket."""
    user, database = re.findall(r"//(\w+)@?[^/]*/(\w+)\?", url)[0]
    return f"postgresql://{user}@127.0.0.1:{port}/{database}"


def test_an_image_is_its_user_and_cannot_be_written(api: Image) -> None:
    assert str(api.config["User"]).split(":")[0] == str(USER)
    script = "import os; print(os.getuid(), os.getgid()); open('/opt/insights/x', 'w')"
    done = run(api, "python", "-c", script)
    assert done.stdout == f"{USER} {USER}\n"
    assert "Read-only file system" in done.stderr


def test_an_image_has_python_3_11_and_neither_pip_nor_a_compiler(api: Image) -> None:
    assert run(api, "python", "-c", "import sys; print(sys.version_info[:2])").stdout == "(3, 11)\n"
    assert "No module named" in run(api, "python", "-c", "import pip").stderr
    script = "import shutil; print([name for name in ('gcc', 'cc', 'c++', 'make', 'pip', 'git') if shutil.which(name)])"
    assert run(api, "python", "-c", script).stdout == "[]\n"


def test_the_command_says_what_it_does(worker: Image) -> None:
    done = run(worker, *worker.command())
    assert (done.returncode, done.stderr) == (0, "")
    assert "dashboards" in done.stdout
    assert run(worker, *worker.command("config", "check")).returncode == 0


def test_the_manifest_is_in_the_image_and_is_not_made_again(api: Image) -> None:
    # The times of the files are those of the build; dbt would write below /tmp.
    done = run(api, "sh", "-c", "insights dashboards && ls -A /tmp")
    assert (done.returncode, done.stderr) == (0, "")
    assert "overview" in done.stdout
    assert "cache" not in done.stdout.splitlines()[-1]
    assert (api.root / "opt/insights/orchestration/project/manifest.json").exists()


def test_the_service_answers(api: Image, built: Warehouse, port: int, figures: dict[str, str], tmp_path: Path) -> None:
    id_ = str(built.value("select id from organizations where slug = %s", HOSPITAL))
    service = free_port()
    config = yaml.safe_load((PROJECT / CONFIG_FILE).read_text("utf-8"))
    config["insights"]["reports_api"] |= {"port": service, "timeout_ms": 60_000}
    variables = {
        "INSIGHTS_WAREHOUSE_URL": over_tcp(built.reader_url, port),
        "INSIGHTS_TOKEN_SECRET": SECRET,
        "INSIGHTS_CONFIG": "/tmp/config.yaml",  # noqa: S108 - in the container
        "CONTENT": yaml.safe_dump(config),
    }
    configured = ["sh", "-c", 'printf %s "$CONTENT" >$INSIGHTS_CONFIG && exec "$@"', "sh", *api.command()]
    line, outside = contained(api, configured, variables)
    started = time.monotonic()
    with (tmp_path / "log").open("w") as log, subprocess.Popen(line, env=outside, stdout=log, stderr=log) as process:
        try:
            while get(service, "/readyz")[0] != 200:
                assert process.poll() is None, (tmp_path / "log").read_text("utf-8")
                time.sleep(0.05)
            figures["api: start to ready"] = f"{time.monotonic() - started:.1f} s"
            figures["api: memory at rest"] = f"{resident(process.pid) / MB:.0f} MiB"
            status, body = get(service, f"/v1/organizations/{id_}/dashboards/overview", token(id_))
            assert (status, "data_up_to" in json.loads(body)) == (200, True)
            assert b"reports_api_requests_total" in get(service, "/metrics")[1]
        finally:
            if process.poll() is None:
                os.kill(inner(process.pid), signal.SIGTERM)
        assert process.wait(60) == 0


def get(port: int, path: str, bearer: str = "") -> tuple[int, bytes]:
    """Return the status and the body of an answer; 0 while nothing listens."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {bearer}"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except ConnectionError:
        return 0, b""
    finally:
        connection.close()


def inner(pid: int) -> int:
    """Return the process in the container that `unshare` has started."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def resident(pid: int) -> int:
    """Return the bytes of memory that the process in the container has."""
    status = Path(f"/proc/{inner(pid)}/status").read_text()
    return int(re.findall(r"^VmRSS:\s+(\d+) kB", status, re.M)[0]) * 1024


def test_a_warehouse_is_prepared_and_built(
    worker: Image, prepared: Warehouse, built: Warehouse, port: int, figures: dict[str, str]
) -> None:
    admin = {"INSIGHTS_ADMIN_URL": over_tcp(prepared.admin_url, port)}
    done = run(worker, *worker.command("init"), **admin)
    assert done.returncode == 0, done.stdout + done.stderr
    started = time.monotonic()
    loader = {"INSIGHTS_WAREHOUSE_URL": over_tcp(prepared.etl_url, port), "INSIGHTS_AS_OF": "2026-01-01"}
    done = run(worker, *worker.command("build"), **loader)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    figures["worker: the sample, built and tested"] = f"{time.monotonic() - started:.0f} s"
    for mart in ("fact_tasks", "fact_cases", "report_monthly_trends", "pattern_weekly"):
        count = f"select count(*) from insights.{mart}"  # noqa: S608 - a name from above
        assert prepared.value(count) == built.value(count) > 0


def test_airflow_finds_the_dags(airflow: Image) -> None:
    script = (
        "from airflow.models import DagBag; b = DagBag(include_examples=False);"
        " print(b.import_errors, sorted(dag for dag in b.dags))"
    )
    done = run(airflow, *airflow.command("python", "-c", script), writable=["/opt/airflow"])
    assert done.returncode == 0, done.stderr
    last = done.stdout.splitlines()[-1]
    assert last.startswith("{} ")
    assert last.count("'insights_") == 6
    assert run(airflow, *airflow.command("insights", "--version")).returncode == 0


def test_the_etl_worker_of_the_chart_takes_its_queue(
    airflow: Image, database: str, redis_server: LocalRedis, port: int, tmp_path: Path
) -> None:
    url = over_tcp(database, port)
    arguments = [word.replace("$(POD_NAME)", "here") for word in render("prod").container("etl-worker")["args"]]
    with Forwarder(Path(unquote(urlsplit(redis_server.url()).path))) as broker:
        variables = {
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url,
            "AIRFLOW__CELERY__BROKER_URL": f"redis://127.0.0.1:{broker}/0",
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{url}",
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
        }
        migrated = run(airflow, *airflow.command("airflow", "db", "migrate"), writable=["/opt/airflow"], **variables)
        assert migrated.returncode == 0, migrated.stderr[-4000:]
        line, outside = contained(airflow, airflow.command(*arguments), variables, ["/opt/airflow"])
        with (
            (tmp_path / "log").open("w") as log,
            subprocess.Popen(line, env=outside, stdout=log, stderr=log) as process,
        ):
            try:
                while "celery@here" not in (queues := active_queues(airflow, variables)):
                    assert process.poll() is None, (tmp_path / "log").read_text("utf-8")[-4000:]
            finally:
                if process.poll() is None:
                    os.kill(inner(process.pid), signal.SIGTERM)
            assert process.wait(60) == 0
    (of_worker,) = json.loads(queues.splitlines()[-1]).values()  # after what Airflow logs
    assert [queue["name"] for queue in of_worker] == [arguments[arguments.index("--queues") + 1]]


def active_queues(image: Image, variables: Mapping[str, str]) -> str:
    """Return what Celery says about its workers, as in the liveness probe; nothing while there is none."""
    app = "airflow.providers.celery.executors.celery_executor.app"
    asked = image.command("celery", "--app", app, "inspect", "active_queues", "--json", "--timeout", "30")
    return run(image, *asked, writable=["/opt/airflow"], **variables).stdout


def test_what_pip_installs_is_locked_and_no_address_is_written_down() -> None:
    text = (PROJECT / "Containerfile").read_text("utf-8")
    installs = re.findall(r"pip --python \S+ install (.*?)(?=\n[A-Z]|\n\n| &&)", text, re.S)
    assert len(installs) == 4
    assert all("--require-hashes" in line or "--no-index" in line for line in installs)
    assert "://" not in text
