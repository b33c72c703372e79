"""Time limits end work, may be nested, and leave the alarm of this process as it was."""

from __future__ import annotations

import signal
import time
from datetime import timedelta

import pytest

from orchestration.errors import TimedOutError
from orchestration.runs.limits import time_limit


def test_an_outer_limit_counts_after_an_inner_one_has_ended() -> None:
    handler, (left, _) = signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)
    with (
        pytest.raises(TimedOutError, match=r"^The run took longer than its time limit of 0:00:01 and was canceled\.$"),
        time_limit(timedelta(seconds=1), "The run"),
    ):
        with (
            pytest.raises(TimedOutError, match=r"^The step took longer"),
            time_limit(timedelta(seconds=0.1), "The step"),
        ):
            time.sleep(60)
        with time_limit(timedelta(seconds=0.5), "The step"):
            pass
        with time_limit(timedelta(hours=1), "The step"):
            time.sleep(60)
    assert signal.getsignal(signal.SIGALRM) is handler
    assert (signal.getitimer(signal.ITIMER_REAL)[0] > 0) is (left > 0), "the limit of the test itself"


def test_no_handler_of_errors_hides_that_the_time_is_over() -> None:
    with pytest.raises(TimedOutError), time_limit(timedelta(seconds=0.1), "The step"):
        try:
            time.sleep(60)
        except Exception:  # as the code of a step may do
            pytest.fail("the limit was taken for an error")
