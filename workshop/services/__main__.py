"""Control the private services of this checkout: `python -m workshop.services COMMAND`.

start                   start PostgreSQL and Redis (`./dev airflow` starts Airflow)
stop | status           stop or show PostgreSQL, Redis and Airflow
clean                   stop all three and remove their data
needs-wheels            print `yes` when PostgreSQL or Redis is not installed and must come from wheels, else `no`
needs-chromium          print `yes` when there is no Chromium for the tests of the page, else `no`
needs-prometheus        print `yes` when there is no Prometheus for the tests of the metrics, else `no`
needs-pgbackrest        print `yes` when there is no pgBackRest for the tests of backups, else `no`
exec DATABASE -- PROGRAM ...
                        run a program with PG* variables, INSIGHTS_ADMIN_URL and INSIGHTS_WAREHOUSE_URL for a database,
                        which is created if it is missing, and with the environment, day, cache and export folder of a
                        demo's; example: exec demo -- psql
demo-of URL             print the database of the demo that a warehouse URL leads to; nothing for any other URL
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from orchestration.errors import InsightsError
from workshop.services import LocalAirflow, LocalPostgres, LocalRedis, remove_state, state_root
from workshop.services.airflow_releases import RELEASES
from workshop.services.binaries import installed_postgres, installed_redis
from workshop.services.chromium import installed_chromium
from workshop.services.pgbackrest import installed_pgbackrest
from workshop.services.postgres import PORT, SUPERUSER
from workshop.services.prometheus import installed_prometheus

PROJECT = Path(__file__).parents[2]
# From the shipped configuration, which the demo and the linter use.
ETL_ROLE, EXPORT_ROLE = "orgo_insights_etl", "orgo_insights_export"


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    match arguments:
        case ["needs-wheels" | "needs-chromium" | "needs-prometheus" | "needs-pgbackrest" as question]:
            sys.stdout.write("no\n" if is_installed(question.removeprefix("needs-")) else "yes\n")
            return 0
        case ["demo-of", url]:
            from workshop.demo_variables import demo_of  # noqa: PLC0415 - see run_with_database

            sys.stdout.write(f"{demo_of(state_root(PROJECT), url, ETL_ROLE) or ''}\n")
            return 0
        case ["exec", database, "--", *command] if command:
            return run_with_database(database, command)
        case ["start" | "stop" | "status" | "clean" as command]:
            for line in control(command):
                sys.stdout.write(f"{line}\n")
            return 0
    sys.stderr.write(__doc__ or "")
    return 2


def is_installed(what: str) -> bool:
    """Return whether Chromium, Prometheus, pgBackRest, or else PostgreSQL and Redis need not come from elsewhere."""
    found = {
        "chromium": installed_chromium,
        "prometheus": installed_prometheus,
        "pgbackrest": installed_pgbackrest,
    }
    return bool(found[what]() if what in found else installed_postgres() and installed_redis())


def control(command: str) -> list[str]:
    """Run start, stop, status or clean and return the lines to print."""
    state = state_root(PROJECT)
    postgres, redis = LocalPostgres(state), LocalRedis(state)
    airflows = [LocalAirflow(state, PROJECT / "dags", release=release) for release in RELEASES]
    if command in ("stop", "clean"):
        for airflow in airflows:
            airflow.stop()
    for service in (postgres, redis):
        if command == "start":
            service.start()
        elif command in ("stop", "clean"):
            service.stop()
    if command == "clean":
        remove_state(state)
        return []
    shown = [
        ("PostgreSQL", _running_word(postgres), postgres.url("postgres", SUPERUSER)),
        ("Redis", _running_word(redis), redis.url()),
        *((f"Airflow {one.release.major}", _running_word(one), one.url) for one in airflows if one.folder.exists()),
    ]
    # By hand: the table helper needs click, and `./dev` runs this before anything is installed.
    return [f"  {name:<12}{word:<9}{url}" for name, word, url in shown]


def run_with_database(database: str, command: Sequence[str]) -> int:
    """Run `command` with environment variables that point to `database`, and return its exit code.

    Creates the database if it is missing. Stops the server afterwards unless it was already running.
    """
    from workshop.demo_variables import DAYS, demo_variables  # noqa: PLC0415 - the sample is not needed to stop servers

    state = state_root(PROJECT)
    postgres = LocalPostgres(state)
    was_running = postgres.is_running()
    postgres.start()
    try:
        postgres.create_database(database)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        environment |= {
            "PGHOST": str(postgres.socket_dir),
            "PGPORT": str(PORT),
            "PGUSER": SUPERUSER,
            "PGDATABASE": database,
            "INSIGHTS_ADMIN_URL": postgres.url(database, SUPERUSER),
            "INSIGHTS_WAREHOUSE_URL": postgres.url(database, ETL_ROLE),
            **(demo_variables(state, database, ETL_ROLE, EXPORT_ROLE) if database in DAYS else {}),
        }
        return subprocess.run(command, env=environment, check=False).returncode
    finally:
        if not was_running:
            postgres.stop()


def _running_word(service: LocalPostgres | LocalRedis | LocalAirflow) -> str:
    return "running" if service.is_running() else "stopped"


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except InsightsError as error:
        sys.exit(f"error: {error}")
