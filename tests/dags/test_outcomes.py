"""What a step keeps of its end, and what a message makes of it."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import pytest
from support.airflow import airflow_dags  # noqa: F401 - sets Airflow's home before Airflow is imported
from support.airflow.task import Task

from orchestration.dags.airflow_versions import (
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSkipException,
    EndedTask,
)
from orchestration.dags.outcomes import LONGEST_REASON, keeping_outcome, step_seconds, why

TWO = datetime(2026, 1, 1, 2, tzinfo=UTC)


def _kept(task_id: str, began: str, ended: str, reason: str | None = None) -> dict[str, str | None]:
    day = "2026-01-01T02:{}+00:00"
    times = {"began_at": day.format(began), "ended_at": day.format(ended)}
    return {"task_id": task_id, **times, "reason": reason, "log_url": f"http://airflow/{task_id}"}


def test_a_step_keeps_how_it_ended() -> None:
    task = Task("purge")
    with keeping_outcome(task.context()):
        pass
    kept = task.kept["outcome"]
    assert (kept["task_id"], kept["reason"], kept["log_url"]) == ("purge", None, "http://airflow.example.org/log")
    assert datetime.fromisoformat(kept["began_at"]) == TWO < datetime.fromisoformat(kept["ended_at"])


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (AirflowFailException("no such column"), "no such column"),
        (AirflowSkipException("not enabled in dev"), None),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (ValueError("x" * 3000), "x" * LONGEST_REASON),
    ],
)
def test_a_step_that_fails_keeps_why(error: BaseException, reason: str | None) -> None:
    task = Task()
    with pytest.raises(type(error)), keeping_outcome(task.context()):
        raise error
    assert task.kept["outcome"]["reason"] == reason


def test_a_gate_that_looks_again_later_has_not_ended() -> None:
    task = Task("gate")
    with pytest.raises(AirflowRescheduleException), keeping_outcome(task.context()):
        raise AirflowRescheduleException(TWO)  # type: ignore[no-untyped-call]
    assert task.kept == {}


def test_an_end_that_cannot_be_kept_changes_no_step(caplog: pytest.LogCaptureFixture) -> None:
    class Deaf(Task):
        def xcom_push(self, *, key: str, value: object) -> None:
            raise OSError("the API server does not answer")

    with caplog.at_level(logging.ERROR), keeping_outcome(Deaf("facts").context()):
        pass
    assert "How facts ended could not be kept" in caplog.text


def _failed(*names: str) -> list[EndedTask]:
    return [EndedTask(name, "failed", f"http://airflow/{name}") for name in names]


def test_the_message_names_the_first_step_that_failed() -> None:
    kept = [
        _kept("gate", "00:00", "01:00"),
        _kept("facts", "01:00", "02:00", "a"),
        _kept("recount", "01:00", "03:00", "b"),
    ]
    assert why(_failed("recount", "facts"), kept, "") == "Step facts (and 1 more): a\nLog: http://airflow/facts"


def test_a_step_that_was_killed_is_named_before_one_that_says_why() -> None:
    kept = [_kept("tests", "00:00", "01:00"), _kept("purge", "01:00", "02:00", "another process writes")]
    killed = "Step tests{}: it ended without a reason, as when its process is killed; its log may say more"
    told = "Step purge: another process writes\nLog: http://airflow/purge"
    assert why(_failed("tests"), kept, "") == f"{killed.format('')}\nLog: http://airflow/tests"
    assert why(_failed("tests", "purge"), kept, "") == f"{killed.format('')}\nLog: http://airflow/tests\n{told}"
    in_airflow_3 = [EndedTask(name, "failed", None) for name in ("purge", "recount", "tests")]
    without_address = killed.replace("tests", "recount").format(" (and 1 more)")
    assert why(in_airflow_3, kept, "") == f"{without_address}\n{told}"


def test_a_run_that_takes_too_long_is_told_with_the_command_for_the_pool() -> None:
    command = "airflow pools set insights_writer 1 'One writer'"
    gate = [_kept("gate", "00:00", "01:00")]
    assert why([], gate, "timed_out").startswith("No task failed; Airflow says: timed_out. If a step never began")
    assert command in why([], [], "timed_out")
    assert why([], [], "all_tasks_deadlocked") == "No task failed; Airflow says: all_tasks_deadlocked."


def test_a_run_that_ends_between_two_attempts_is_told_with_the_error_of_the_first() -> None:
    kept = [_kept("gate", "00:00", "01:00"), _kept("facts", "01:00", "02:00", "no answer")]
    says = "No task failed; Airflow says: timed_out. Step facts: no answer\nLog: http://airflow/facts"
    assert why([], kept, "timed_out") == says


def test_a_step_lasts_from_its_first_task_to_its_last() -> None:
    kept = [_kept("gate", "00:00", "00:07"), _kept("review.a", "01:00", "02:00"), _kept("review.b", "01:30", "03:15")]
    assert step_seconds(kept) == {"gate": 7, "review": 135}
