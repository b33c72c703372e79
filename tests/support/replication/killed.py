"""`insights replicate` that gets a signal when a merge begins: python -m support.replication.killed SIGKILL 3 ..."""

from __future__ import annotations

import os
import signal
import sys
from itertools import count

from dlt.destinations.job_client_impl import SqlLoadJob

from orchestration.cli import main


def signal_at(name: str, number: int) -> None:
    """Send this process a signal when the merge of this number begins."""
    merges, run = count(1), SqlLoadJob.run

    def run_after_signal(job: SqlLoadJob) -> None:
        if next(merges) == number:
            os.kill(os.getpid(), signal.Signals[name])
        run(job)

    SqlLoadJob.run = run_after_signal  # type: ignore[method-assign, assignment]


if __name__ == "__main__":
    signal_at(sys.argv.pop(1), int(sys.argv.pop(1)))
    main()
