"""The semantic models of the dashboards: MetricFlow reads them, and answers with the dashboards' numbers."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result
from support import reports_by_hand as by_hand
from support.plain_dbt import libpq_variables
from support.reports.metricflow import metricflow
from support.reports.statuses_by_hand import backlog
from support.warehouse import Warehouse

from orchestration.cli import commands
from orchestration.config.files import PROJECT, Settings
from orchestration.dashboards.definitions import META, Dashboard, dashboards
from orchestration.dashboards.semantic_models import Aggregate, aggregates, semantic_models
from orchestration.manifest import FILES, FOLDERS, PACKAGE, read_manifest
from orchestration.warehouse.connection import connect
from workshop.sample.load import SAMPLE_AS_OF
from workshop.services import LocalPostgres

pytest_plugins = ["support.api.fixtures"]

Ask = Callable[..., list[dict[str, str]]]


@pytest.mark.parametrize(
    ("expression", "found", "rest"),
    [
        ("sum(task_count)", [Aggregate("sum", "task_count")], "{0}"),
        ("count(*)", [Aggregate("sum", "1")], "{0}"),
        ("count(*) filter (where is_new)", [Aggregate("sum", "case when is_new then 1 end")], "{0}"),
        ("count(distinct task_id)", [Aggregate("count_distinct", "task_id")], "{0}"),
        ("avg(a)", [Aggregate("average", "a")], "{0}"),
        ("max(coalesce(a, (b)))", [Aggregate("max", "coalesce(a, (b))")], "{0}"),
        (
            "round(1.0 * sum(a) filter (where b > (1)) / nullif(sum(c), 0), 4)",
            [Aggregate("sum", "case when b > (1) then a end"), Aggregate("sum", "c")],
            "round(1.0 * {0} / nullif({1}, 0), 4)",
        ),
    ],
)
def test_a_measure_is_taken_apart(expression: str, found: list[Aggregate], rest: str) -> None:
    assert aggregates(expression) == (found, rest)


def run(*arguments: str) -> Result:
    """Run `insights ARGUMENTS`."""
    return CliRunner().invoke(commands, arguments)


def test_each_measure_of_a_dated_report_is_a_metric_once(settings: Settings) -> None:
    manifest = read_manifest(settings)
    made = semantic_models(manifest, dashboards(manifest))
    names = [metric["name"] for metric in made["metrics"]]
    assert len(set(names)) == len(names)
    assert {"task_volume_tasks", "sla_breaches_completion_share", "monthly_trends_backlog"} <= set(names)
    models = {model["name"] for model in made["semantic_models"]}
    assert "dim_tasks" not in models  # panels with conditions of their own
    assert "report_profile_scores" not in models  # no date
    named = {measure["name"]: measure for model in made["semantic_models"] for measure in model.get("measures", [])}
    assert named["monthly_trends_backlog"]["non_additive_dimension"]["name"] == "report_date"
    assert "non_additive_dimension" not in named["monthly_trends_opened"]


def test_a_measure_of_spans_is_what_began_less_what_ended(settings: Settings) -> None:
    manifest = read_manifest(settings)
    made = semantic_models(manifest, dashboards(manifest))
    (model,) = (model for model in made["semantic_models"] if model["name"] == "report_task_backlog")
    times = {each["name"]: each["expr"] for each in model["dimensions"] if each["type"] == "time"}
    assert times == {"first_day": "first_day", "after_last_day": "last_day + 1"}
    dated = {measure["name"]: measure["agg_time_dimension"] for measure in model["measures"]}
    assert dated == {"task_backlog_tasks_begun": "first_day", "task_backlog_tasks_ended": "after_last_day"}
    kinds = {metric["name"]: metric["type"] for metric in made["metrics"] if "backlog_tasks" in metric["name"]}
    assert kinds == {
        "task_backlog_tasks": "derived",
        "task_backlog_tasks_begun": "cumulative",
        "task_backlog_tasks_ended": "cumulative",
    }


def test_only_sums_are_told_of_spans() -> None:
    node = {
        "name": "stock",
        "package_name": PACKAGE,
        "resource_type": "model",
        "original_file_path": "models/marts/stock.sql",
        "columns": {},
        "config": {"meta": {"snapshot_by": ["first_day", "last_day"]}},
    }
    measures = {"all": "sum(open_count)", "share": "1.0 * sum(a) / sum(b)", "most": "max(open_count)"}
    panel = {"description": "Open.", "model": "stock", "measures": measures, "order": "most", "limit": 1}
    meta = META.validate_python({"ttl": "dashboard_default", "panels": {"total": panel}})
    known = {"stock": Dashboard(name="stock", title="Stock", description="Open.", meta=meta, relations={})}
    metrics = semantic_models({"nodes": {"stock": node}}, known)["metrics"]
    parts = {
        name for each in ("all", "a", "b") for name in (f"stock_{each}", f"stock_{each}_begun", f"stock_{each}_ended")
    }
    assert {metric["name"] for metric in metrics} == {"stock_share", *parts}


@pytest.fixture(scope="module")
def ask(sample: Warehouse, postgres: LocalPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Yield a function that asks MetricFlow in a copy of the project that has the file of the command."""
    project = tmp_path_factory.mktemp("metricflow")
    for name in (*FOLDERS, *FILES):
        source = PROJECT / name
        if name == "tests":
            shutil.copytree(source / "generic", project / name / "generic")
        elif source.is_dir():
            shutil.copytree(source, project / name)
        else:
            shutil.copy(source, project / name)
    file = project / "models" / "semantic_models.yml"
    assert run("semantic-models", "--output", str(file)).exit_code == 0
    own = libpq_variables(postgres, sample.name, sample.settings.insights.warehouse.read_only_user)
    variables = {name: value for name, value in os.environ.items() if not name.startswith("DBT_")} | own
    with metricflow(project, variables) as asked:
        yield asked.ask


@pytest.mark.services
def test_counts_are_those_of_the_facts(ask: Ask, sample: Warehouse) -> None:
    by = "metric_time__month,organization__slug"
    got = ask("--metrics", "task_volume_tasks", "--group-by", by)
    counted = sample.rows(
        "select date_trunc('month', t.created_at at time zone 'UTC')::date, o.slug, count(*) from insights.dim_tasks t"
        " join insights.dim_organizations o using (organization_id) group by 1, 2"
    )
    answered = {(row["metric_time__month"][:10], row["organization__slug"]): row["task_volume_tasks"] for row in got}
    assert answered == {(str(month), slug): str(count) for month, slug, count in counted}


@pytest.mark.services
def test_a_share_is_of_the_sums(ask: Ask, sample: Warehouse) -> None:
    names = [f"sla_breaches_reactivity_{part}" for part in ("decided", "breaches", "share")]
    sums = sample.rows(
        "select domain, sum(reactivity_decided), sum(reactivity_breaches) from insights.report_sla_breaches"
        " group by 1 having sum(reactivity_breaches) > 0"
    )
    assert len(sums) > 1
    got = ask("--metrics", ",".join(names), "--group-by", "report_sla_breaches_row__domain")
    answered = {row["report_sla_breaches_row__domain"]: tuple(row[name] for name in names) for row in got}
    for domain, decided, late in sums:
        assert answered[domain][:2] == (str(decided), str(late))
        assert abs(Decimal(answered[domain][2]) - Decimal(late) / Decimal(decided)) <= Decimal("0.00005")


@pytest.mark.services
def test_what_is_counted_at_a_date_is_not_added_up_over_dates(ask: Ask, sample: Warehouse) -> None:
    months = sample.rows("select month, sum(backlog) from insights.report_monthly_trends group by 1 order by 1")
    assert len(months) > 1
    quarters = {date(month.year, month.month - (month.month - 1) % 3, 1): backlog for month, backlog in months}
    got = ask("--metrics", "monthly_trends_backlog", "--group-by", "metric_time__quarter")
    answered = {row["metric_time__quarter"][:10]: row["monthly_trends_backlog"] for row in got}
    assert answered == {str(quarter): str(backlog) for quarter, backlog in quarters.items()}
    (total,) = ask("--metrics", "pattern_weekly_patterns")
    newest = Counter(day for (day,) in sample.rows("select review_date from insights.pattern_weekly"))
    assert int(total["pattern_weekly_patterns"]) == newest[max(newest)]


@pytest.mark.services
def test_the_backlog_of_a_day_is_what_was_open_at_its_end(ask: Ask, sample: Warehouse) -> None:
    cutoff, first = SAMPLE_AS_OF - timedelta(days=730), SAMPLE_AS_OF - timedelta(days=62)
    with connect(sample.admin_url) as connection:
        tasks = by_hand.read_tasks(connection, sample.settings, SAMPLE_AS_OF, cutoff)
    counts = backlog(tasks, cutoff, SAMPLE_AS_OF)
    by_day, by_month = Counter[tuple[str, str]](), Counter[str]()
    for (_, day, _, severity, _, _), open_tasks in counts.items():
        if day >= first:
            by_day[str(day), severity] += open_tasks
        if day >= first and (day + timedelta(days=1)).day == 1:
            by_month[str(day.replace(day=1))] += open_tasks
    period = ("--start-time", str(first), "--end-time", str(SAMPLE_AS_OF - timedelta(days=1)))
    severity = "report_task_backlog_row__severity"
    got = ask("--metrics", "task_backlog_tasks", "--group-by", f"metric_time__day,{severity}", *period)
    answered = {(row["metric_time__day"][:10], row[severity]): int(row["task_backlog_tasks"]) for row in got}
    assert len(by_day) > 62
    assert {key: number for key, number in answered.items() if number} == dict(by_day)
    got = ask("--metrics", "task_backlog_tasks", "--group-by", "metric_time__month", *period)
    assert {row["metric_time__month"][:10]: int(row["task_backlog_tasks"]) for row in got} == dict(by_month)
    (now,) = ask("--metrics", "task_backlog_tasks")
    last = SAMPLE_AS_OF - timedelta(days=1)
    assert int(now["task_backlog_tasks"]) == sum(count for key, count in counts.items() if key[1] == last)


@pytest.mark.services
def test_the_file_is_written_or_printed(tmp_path: Path) -> None:
    file = tmp_path / "metrics.yml"
    assert run("semantic-models", "--output", str(file)).output == f"{file}\n"
    printed = run("semantic-models").output
    assert yaml.safe_load(printed) == yaml.safe_load(file.read_text(encoding="utf-8"))
