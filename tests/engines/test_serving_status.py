"""`insights status`, `doctor` and `metrics` of a serving database: what was published, when, and how old it is."""

from __future__ import annotations

import csv
import json
import subprocess
from datetime import UTC, datetime
from io import StringIO

import pytest
from click.testing import CliRunner, Result
from prometheus_client.parser import text_string_to_metric_families
from support.engines.published import Served, declared
from support.warehouse import Warehouse

from orchestration.cli import commands
from orchestration.config.variables import AS_OF
from orchestration.monitoring.server import metrics_text

pytest_plugins = ["support.engines.publications"]
pytestmark = pytest.mark.services

VIEWS = {"made_reviews", "stg_user_accounts"}  # which no load writes
DAY = "2026-01-01"  # as of which the sample is loaded
REMEDY = "Run: insights snapshot --replace && insights build && insights publish"


def asked(served: Served, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command on the day of the sample, after which no publication is expected."""
    return served.laptop.run(*arguments, INSIGHTS_SERVING_URL=served.database.etl_url)


def as_a_warehouse(database: Warehouse, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Result:
    """Run a command today, with a configuration of PostgreSQL whose address leads to a serving database."""
    monkeypatch.setenv("INSIGHTS_WAREHOUSE_URL", database.etl_url)
    monkeypatch.delenv(AS_OF, raising=False)
    return CliRunner().invoke(commands, arguments)


def findings(text: str) -> dict[str, dict[str, str]]:
    return {one["check"]: one for one in json.loads(text)}


def test_status_shows_each_relation_with_its_load(served: Served) -> None:
    done = asked(served, "status", "--format", "json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    moment = served.laptop.value("select max(epoch_us(moment)) from insights_ops.snapshots")
    last = found["publication"]
    assert datetime.fromisoformat(last["snapshot_moment"]).timestamp() * 1e6 == pytest.approx(moment)
    assert (last["number"], last["whose"], last["loaded_through"][:10]) == (1, "all organizations", DAY)
    assert (last["is_late"], found["is_in_order"], found["changed"]) == (False, True, [])
    relations = {one["name"]: one for one in found["relations"]}
    assert relations.keys() == declared(served).keys()
    for name, relation in declared(served).items():
        one = relations[name]
        assert one["rows"] == one["published_rows"] == served.database.value(f"select count(*) from {relation}")  # noqa: S608
        assert one["as_of"] == one["data_up_to"] == (None if name in VIEWS else DAY), name
        assert one["published_at"] <= last["published_at"]
    logged = served.laptop.value(
        "select max(epoch_us(logged_at)) from insights_ops.load_log where relation_name = 'fact_tasks'"
    )
    assert datetime.fromisoformat(relations["fact_tasks"]["loaded_at"]).timestamp() * 1e6 == pytest.approx(logged)
    lines = list(csv.DictReader(StringIO(asked(served, "status", "--format", "csv").stdout)))
    assert [lines[0]["kind"], lines[0]["name"], lines[0]["state"]] == ["publication", "1", "in time"]
    assert {one["name"] for one in lines[1:]} == relations.keys()
    text = asked(served, "status").stdout
    assert "Publication 1 of all organizations at " in text
    assert f"changes up to {DAY} 00:00:00+00:00" in " ".join(text.split())


def test_old_data_is_late_whatever_leads_to_the_database(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    done = as_a_warehouse(served.database, monkeypatch, "status")
    assert done.exit_code == 3
    assert "what is published is late" in done.stderr
    done = as_a_warehouse(served.database, monkeypatch, "doctor", "--format", "json")
    assert done.exit_code == 3
    found = findings(done.stdout)["publication"]
    assert (found["state"], found["remedy"]) == ("attention", REMEDY)
    assert found["says"].endswith(f"with changes up to {DAY} 00:00 UTC: more than 36 hours ago")


def test_doctor_looks_at_the_publication_and_misses_no_source(served: Served) -> None:
    found = findings(asked(served, "doctor", "--format", "json").stdout)
    assert (found["publication"]["state"], found["published rows"]["state"]) == ("ok", "ok")
    assert found["published rows"]["says"] == f"{len(declared(served))} relations have their rows"
    assert not {"source", "indexes of Orgo", "DAGs", "messages"} & found.keys()
    assert [one for one in found if "backup" in one] == []
    assert {name: one["says"] for name, one in found.items() if one["state"] == "broken"} == {}
    assert {"server", "clock", "bookkeeping", "grants", "release", "statistics", "names"} <= found.keys()


def test_metrics_have_the_age_of_what_is_published(served: Served) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(AS_OF, DAY)
        families = list(text_string_to_metric_families(metrics_text(served.settings)))
    found = {
        s.name: {tuple(s.labels.values()): s.value for s in family.samples}
        for family in families
        for s in family.samples
    }
    day = datetime.fromisoformat(DAY).replace(tzinfo=UTC).timestamp()
    assert found["insights_warehouse_up"] == {(): 1}
    assert found["insights_scrape_errors"] == {(): 0}
    assert found["insights_publication_data_up_to_timestamp_seconds"] == {(): day}
    moments = (
        "select extract(epoch from published_at), extract(epoch from snapshot_moment) from insights_ops.publications"
    )
    [(published_at, moment)] = served.database.rows(moments)
    assert found["insights_publication_timestamp_seconds"] == {(): pytest.approx(float(published_at))}
    assert found["insights_publication_snapshot_timestamp_seconds"] == {(): pytest.approx(float(moment))}
    assert found["insights_publication_is_late"] == {(): 0}
    marts = {(name,): day for name in declared(served) if name not in VIEWS}
    assert found["insights_mart_data_up_to_timestamp_seconds"] == marts
    assert found["insights_mart_loaded_timestamp_seconds"].keys() == marts.keys()
    of_loads = ("insights_etl", "insights_source", "insights_backup", "insights_mart_is_late", "insights_data_tests")
    assert [name for name in found if name.startswith(of_loads)] == []
    assert found["insights_exports_total"].keys() == {("started",), ("finished",), ("failed",), ("refused",)}


def test_rows_that_others_changed_need_attention_until_the_next_publication(own: Served) -> None:
    own.database.execute(
        "delete from insights.dim_roles where role_id = (select max(role_id::text)::uuid from insights.dim_roles);"
        " drop table insights.dim_learning_groups"
    )
    done = asked(own, "status")
    assert done.returncode == 3
    assert "other rows than were published: dim_learning_groups, dim_roles." in " ".join(done.stderr.split())
    found = findings(asked(own, "doctor", "--format", "json").stdout)["published rows"]
    assert (found["state"], found["says"]) == (
        "attention",
        "other rows than were published in dim_learning_groups, dim_roles",
    )
    own.publish()
    assert asked(own, "status").returncode == 0


def test_a_database_to_which_nothing_was_published_says_so(own: Served) -> None:
    own.database.execute("delete from insights_ops.publications; delete from insights_ops.published_relations")
    done = asked(own, "status")
    assert done.returncode == 3
    assert "nothing was published here. Run: insights build, then insights publish" in done.stderr
    found = findings(asked(own, "doctor", "--format", "json").stdout)["publication"]
    assert (found["state"], found["says"]) == ("broken", "nothing was published here")
    assert "insights_publication_is_late 1.0" in metrics_text(own.settings)
