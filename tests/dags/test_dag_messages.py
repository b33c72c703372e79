"""How a run ended is recorded, and people are told once of each failure and once that the DAG is well again."""

from __future__ import annotations

import pytest
from support.airflow import airflow_dags
from support.airflow.airflow_dags import IS_AIRFLOW_2, run_dag, states, task_of
from support.dashboards.dashboard_scenario import patient_commands
from support.monitoring.receivers import mail_server, webhook
from support.warehouse import Warehouse

from orchestration.dags.gate import Gate
from workshop.services import LocalRedis

pytestmark = [
    pytest.mark.services,
    # There, only a scheduler's processes answer what a run's callback asks; test_airflow_3.py has the messages.
    pytest.mark.skipif(not IS_AIRFLOW_2, reason="`airflow dags test` of Airflow 3 does not tell how a run ended"),
]

WARM_UP = "insights_cache_warmup_dashboards"
OUTCOME = "select failures, is_failing, interval_end, undelivered, undelivered_reason from insights_ops.dag_outcomes"


@pytest.fixture
def dag(airflow: None, built: Warehouse, monkeypatch: pytest.MonkeyPatch) -> airflow_dags.DAG:
    """Return the DAG of the warm-up in prod, without a cache to warm."""
    airflow_dags.make_pool(1)
    monkeypatch.setenv("INSIGHTS_ENV", "prod")
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", built.etl_url)
    return airflow_dags.bag().dags[WARM_UP]


def test_people_are_told_of_each_failure_and_once_that_it_is_over(
    dag: airflow_dags.DAG, built: Warehouse, redis_server: LocalRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    with webhook() as chat, mail_server() as post:
        monkeypatch.setenv("INSIGHTS_ALERT_WEBHOOK_URL", chat.url)
        monkeypatch.setenv("INSIGHTS_ALERT_SMTP_URL", post.url)
        for minute in (15, 30):
            assert states(run_dag(dag, f"2026-01-03T02:{minute}:00"))["warm"] == "failed"
        failing_since = built.value("select failing_since from insights_ops.dag_outcomes")
        since = f"{failing_since:%Y-%m-%d %H:%M} UTC"
        assert len(chat.texts) == 2
        for text in chat.texts:
            assert text.startswith(
                f"Failed: {WARM_UP} in prod\nStep warm: There is no cache to warm: INSIGHTS_REDIS_URL"
            )
            assert "\nLog: http" in text
            assert text.endswith(f"Failing since: {since}")
        assert [(mail["To"], mail["Subject"]) for mail in post.mails] == [
            ("data-team@example.org", f"Failed: {WARM_UP} in prod")
        ] * 2
        assert built.rows(OUTCOME)[0][:3] == (2, True, None)

        monkeypatch.setenv("INSIGHTS_REDIS_URL", redis_server.url())
        patient_commands(monkeypatch)
        for minute in (45, 50):
            assert states(run_dag(dag, f"2026-01-03T02:{minute}:00"))["warm"] == "success"
        assert len(chat.texts) == len(post.mails) == 3
        assert chat.texts[2].startswith(f"Well again: {WARM_UP} in prod\nIt failed from {since} to ")
    failures, is_failing, interval_end, undelivered, _ = built.rows(OUTCOME)[0]
    assert (failures, is_failing, undelivered) == (2, False, 0)
    assert interval_end is not None


def test_a_message_that_reaches_nobody_is_counted_and_changes_no_run(
    dag: airflow_dags.DAG, built: Warehouse, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with webhook() as chat:
        chat.status = 404
        monkeypatch.setenv("INSIGHTS_ALERT_WEBHOOK_URL", chat.url)
        run = run_dag(dag, "2026-01-03T03:15:00")
    assert (run.state, states(run)["warm"]) == ("failed", "failed")
    assert built.rows(OUTCOME)[0][3:] == (1, "webhook: the answer was 404 Not Found")
    assert "secret-part" not in caplog.text


def test_people_are_told_while_the_warehouse_does_not_answer(
    dag: airflow_dags.DAG, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", "postgresql://etl@127.0.0.1:1/orgo")  # nothing listens there
    task_of(dag, "gate", Gate).timeout = 0
    with webhook() as chat:
        monkeypatch.setenv("INSIGHTS_ALERT_WEBHOOK_URL", chat.url)
        assert run_dag(dag, "2026-01-03T04:15:00").state == "failed"
    (text,) = chat.texts
    assert "Cannot connect to PostgreSQL" in text
