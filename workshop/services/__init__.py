"""Private PostgreSQL 15, Redis 7 and Airflow servers for the demo, the tests and the linter.

Linux only: a running server is recognized by its command line in /proc. The modules use only the standard library,
so that `./dev clean` can stop the servers without the virtual environment; only the programs may come from wheels.
"""

from workshop.services.airflow import LocalAirflow
from workshop.services.postgres import LocalPostgres
from workshop.services.redis import LocalRedis
from workshop.services.state import remove_state, state_root

__all__ = ["LocalAirflow", "LocalPostgres", "LocalRedis", "remove_state", "state_root"]
