"""A dashboard of which some models do not exist: their panels say so, and the others answer (decision D170)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner
from support.dashboards.dashboard_scenario import HOSPITAL, OPEN, STORES, open_reader, patient_commands
from support.warehouse import Warehouse

from orchestration.cli import commands
from orchestration.dashboards.question import Asked
from orchestration.dashboards.reader import Reader
from orchestration.errors import NotBuiltError
from workshop.services import LocalRedis

pytestmark = pytest.mark.services

OVERVIEW = Asked("overview", HOSPITAL, OPEN)
# The yearly review of an installation that has not seen a January yet.
MISSING: dict[str, Any] = {"horizon": None, "rows": [], "left_out": 0}


def panels(reader: Reader, asked: Asked, role: str = "teacher") -> dict[str, Any]:
    """Return the content of each panel."""
    found: dict[str, Any] = json.loads(reader.ask(asked, [role]).entry.body)
    return found


def test_a_panel_names_its_missing_model_and_the_others_answer(built: Warehouse) -> None:
    reader = open_reader(built)
    whole = panels(reader, OVERVIEW)
    assert all(content["rows"] for content in whole.values())
    built.execute("drop table insights.pattern_weekly cascade")
    assert panels(reader, OVERVIEW) == whole | {"patterns": MISSING | {"missing": "pattern_weekly"}}
    built.execute("drop materialized view insights.report_profile_scores cascade")
    without = {"patterns": "pattern_weekly", "deadlines": "report_profile_scores"}
    expected = whole | {panel: MISSING | {"missing": model} for panel, model in without.items()}
    assert panels(reader, OVERVIEW) == expected
    assert list(panels(reader, OVERVIEW)) == list(whole)
    reader.close()


def test_the_anonymised_form_names_it_too(built: Warehouse) -> None:
    reader = open_reader(built)
    asked = Asked("open_patterns", HOSPITAL, is_anonymised=True)
    whole = panels(reader, asked, "analyst")
    built.execute("drop table insights.pattern_yearly cascade")
    assert panels(reader, asked, "analyst") == whole | {"yearly": MISSING | {"missing": "pattern_yearly"}}
    reader.close()


def test_a_dashboard_without_any_model_is_not_built(built: Warehouse) -> None:
    reader = open_reader(built)
    built.execute("drop materialized view insights.report_profile_scores cascade")
    with pytest.raises(NotBuiltError, match="report_profile_scores"):
        panels(reader, Asked("profile_score", HOSPITAL, OPEN))
    # A question beside it in one transaction, as the warm-up asks, has the same error; alone it is answered.
    questions = [reader.question(Asked(name, HOSPITAL, OPEN)) for name in ("profile_score", "overview")]
    with pytest.raises(NotBuiltError):
        reader.compute_all(questions)
    assert len(reader.compute_all(questions[1:])) == 1
    reader.close()


def test_a_stored_answer_is_stale_once_the_model_is_loaded(built: Warehouse, redis_server: LocalRedis) -> None:
    reader = open_reader(built, redis_server)
    stores = Asked("overview", STORES, OPEN)
    built.execute("alter table insights.pattern_weekly rename to away")
    assert panels(reader, stores)["patterns"] == MISSING | {"missing": "pattern_weekly"}
    assert reader.ask(stores, ["teacher"]).outcome == "hits"
    # The load of the model, and the first answer that knows of it.
    built.execute("""
        alter table insights.away rename to pattern_weekly;
        insert into insights_ops.load_log (
            relation_name, as_of, horizon, loaded_from, loaded_through, cutoff, invocation_id, environment
        )
        select relation_name, as_of, horizon, loaded_from, loaded_through, cutoff, invocation_id, environment
        from insights_ops.load_log where relation_name = 'pattern_weekly'
    """)
    reader.ask(Asked("overview", HOSPITAL, ["PUBLIC"]), ["teacher"])
    answer = reader.ask(stores, ["teacher"])
    assert answer.outcome == "misses"
    assert "missing" not in json.loads(answer.entry.body)["patterns"]
    reader.close()


def test_the_command_names_it(built: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", built.reader_url)
    patient_commands(monkeypatch)
    built.execute("drop table insights.pattern_weekly cascade")
    seen = [word for visibility in OPEN for word in ("--visibility", visibility)]
    shown = CliRunner().invoke(commands, ["dashboard", "overview", "--org", HOSPITAL, "--as", "teacher", *seen])
    assert shown.exit_code == 0, shown.output
    assert "patterns: its model pattern_weekly is not built yet." in shown.output
    assert "deadlines, up to" in shown.output
