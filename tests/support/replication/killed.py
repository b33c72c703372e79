"""`insights replicate` that gets a signal when a merge begins: python -m support.replication.killed SIGKILL 3 TEXT ...

TEXT is JSON: what dbt has written for the tables, by name. With null, the command asks dbt.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from itertools import count

from dlt.destinations.job_client_impl import SqlLoadJob

from orchestration.cli import main
from orchestration.replication import replicate


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
    if selects := json.loads(sys.argv.pop(1)):
        replicate.table_selects = lambda *_: selects  # type: ignore[attr-defined]
    main()
