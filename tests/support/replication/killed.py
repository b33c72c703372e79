"""`insights replicate` that is killed at the beginning of one of its merges: python -m support.replication.killed N."""

from __future__ import annotations

import os
import signal
import sys
from itertools import count

from dlt.destinations.job_client_impl import SqlLoadJob

from orchestration.cli import main


def kill_at(number: int) -> None:
    """Kill this process, as SIGKILL does, when the merge of this number begins."""
    merges, run = count(1), SqlLoadJob.run

    def run_or_die(job: SqlLoadJob) -> None:
        if next(merges) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        run(job)

    SqlLoadJob.run = run_or_die  # type: ignore[method-assign]


if __name__ == "__main__":
    kill_at(int(sys.argv.pop(1)))
    main()
