"""All six DAGs under the programs of Airflow 3. On 2.8, test_airflow_service.py and test_dag_runs.py run them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.airflow.airflow_dags import IS_AIRFLOW_2
from support.airflow.airflow_place import Place, wait_until
from support.monitoring.receivers import Webhook, webhook
from support.reviews.core_services import CoreServices
from support.warehouse import Warehouse

from orchestration.config.files import Settings, load_settings
from orchestration.manifest import read_manifest
from workshop.sample.load import SAMPLE_AS_OF
from workshop.services import LocalRedis, remove_state, state_root
from workshop.services.airflow_api import AirflowApi

pytestmark = [
    pytest.mark.services,
    pytest.mark.timeout(5400),
    pytest.mark.skipif(IS_AIRFLOW_2, reason="needs Airflow 3: ./dev airflow3 test"),
]

SECONDS = 1800  # a busy machine takes minutes for a step
EVENTS, WEEKLY = "insights_daily_events_load", "insights_weekly_pattern_review"
OUTCOMES = (
    "select dag_id, failures, is_failing, interval_end is not null from insights_ops.dag_outcomes order by dag_id"
)


@pytest.fixture
def chat() -> Iterator[Webhook]:
    with webhook() as kept:
        yield kept


@pytest.fixture
def core() -> Iterator[CoreServices]:
    with CoreServices.started() as started:
        yield started


@pytest.fixture
def place(  # noqa: PLR0913, PLR0917 - the servers that DAGs reach
    tmp_path_factory: pytest.TempPathFactory,
    settings: Settings,
    built: Warehouse,
    redis_server: LocalRedis,
    chat: Webhook,
    core: CoreServices,
) -> Iterator[Place]:
    read_manifest(settings)
    top = tmp_path_factory.mktemp("airflow3")
    more = {
        "INSIGHTS_REDIS_URL": redis_server.url(),
        "INSIGHTS_ALERT_WEBHOOK_URL": chat.url,
        "INSIGHTS_CORE_API_URL": core.url,
    }
    made = Place.of(top, state_root(top), built, more)
    yield made
    made.airflow.stop()
    remove_state(made.state)


def test_all_dags_are_green_and_a_failure_is_told_once(
    place: Place, built: Warehouse, chat: Webhook, core: CoreServices
) -> None:
    place.airflow.start()
    api = AirflowApi(place.airflow)
    day = {"as_of": SAMPLE_AS_OF.isoformat()}
    dags = [dag.id for dag in load_settings().dags.values()]
    assert len(dags) == 6
    for dag in dags:
        api.wait_for_dag(dag, SECONDS)
        run = api.wait(api.trigger(dag, day), SECONDS)
        assert (run.state, {*api.tasks(run).values()}) == ("success", {"success"}), api.tasks(run)
    wait_until(lambda: len(built.rows(OUTCOMES)) == len(dags), SECONDS)
    assert built.rows(OUTCOMES) == [(dag, 0, False, True) for dag in sorted(dags)]
    steps = "select jsonb_object_keys(step_seconds) from insights_ops.dag_outcomes where dag_id = %s"
    shown = {"gate", "reconcile", "recount", "review", "export_week", "send_digests", "send_reviews"}
    assert {step for (step,) in built.rows(steps, WEEKLY)} == shown
    asked = built.value("select count(*) from insights_ops.review_requests")
    assert len(core.cases) == asked > 0
    assert chat.texts == []

    run = api.wait(api.trigger(EVENTS, {"as_of": "2999-01-01"}), SECONDS)
    assert (run.state, api.tasks(run)["gate"]) == ("failed", "failed")
    wait_until(lambda: bool(chat.texts), SECONDS)
    (text,) = chat.texts
    # The purge runs all the same, and refuses this day too.
    assert text.startswith(f"Failed: {EVENTS} in prod\nStep gate (and 1 more): as_of 2999-01-01 is in the future")
    assert f"\nLog: {place.airflow.url}/dags/{EVENTS}/runs/" in text
    run = api.wait(api.trigger(EVENTS, day), SECONDS)
    assert run.state == "success", api.tasks(run)
    wait_until(lambda: len(chat.texts) > 1, SECONDS)
    assert chat.texts[1].startswith(f"Well again: {EVENTS} in prod\n")
