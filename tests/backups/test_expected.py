"""Which backups are expected: by what is set here and what was ever made, and never by what only failed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from orchestration.backups.expected import backs_up_server, expected
from orchestration.backups.recorded import KindOfRun
from orchestration.config.files import load_settings

MADE = KindOfRun(datetime(2026, 1, 1, tzinfo=UTC), 0, None)
FAILED = KindOfRun(None, 3, "INSIGHTS_BACKUP_AIRFLOW_DIR is not set")
SERVER = ["full", "incremental", "drill"]
PLACES = ("INSIGHTS_BACKUP_REPOSITORY", "INSIGHTS_BACKUP_AIRFLOW_DIR")


@pytest.mark.parametrize(
    ("is_set", "runs", "kinds"),
    [
        ((), {}, []),
        ((), {"full": FAILED}, []),  # a mistake on a server that others back up
        ((), {"airflow": MADE}, ["airflow"]),  # a managed database, and the chart's job for Airflow
        ((), {"full": MADE, "airflow": FAILED}, SERVER),  # a host without Airflow, seen from another
        ((), {"incremental": MADE, "airflow": MADE}, ["full", "incremental", "airflow", "drill"]),
        (PLACES[:1], {}, SERVER),
        (PLACES[1:], {}, ["airflow"]),
        (PLACES, {"full": FAILED}, ["full", "incremental", "airflow", "drill"]),
    ],
)
def test_what_is_set_or_was_made_is_expected_again(
    is_set: tuple[str, ...], runs: dict[str, KindOfRun], kinds: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSIGHTS_ENV", "prod")
    for name in PLACES:
        monkeypatch.setenv(name, "/srv/backups" if name in is_set else "")
    settings = load_settings()
    assert [due.what for due in expected(settings, runs)] == kinds
    assert backs_up_server(settings, runs) == ("full" in kinds)
