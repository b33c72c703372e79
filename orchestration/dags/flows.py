"""What each DAG does, step by step; called inside the DAG whose steps they make.

The models of a review have a task each, to see and to start again; the daily loads are one dbt command a layer.
Decision D86 has what both cost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from airflow.models.baseoperator import BaseOperator, chain

from orchestration.dags.gate import Gate
from orchestration.dags.operators import (
    LoadLogOperator,
    PurgeOperator,
    ReconcileOperator,
    SendReviewsOperator,
    WarmOperator,
)
from orchestration.dags.rendering import Selection, build_task, model_tasks, run_task, test_task
from orchestration.dbt import NO_UNIT_TESTS

EVENTS = Selection(("tag:daily_events_load",))
DIMENSIONS = Selection(("tag:daily_dimensions_sync",))
WEEKLY = Selection(("tag:weekly_pattern_review",))
MONTHLY = Selection(("tag:monthly_trend_report",))
YEARLY = Selection(("tag:yearly_systemic_review",))
# dbt's comma is "and".
FACTS = Selection(("tag:daily_events_load,path:models/marts/core",))
# What the reports of the day read of the facts, and the reports.
OUTCOMES = "tag:daily_events_load,path:models/intermediate"
REPORTS = Selection((OUTCOMES, "tag:daily_events_load,path:models/marts/reports"))
# Not what reads marts, which bears the tag of a DAG; nor tests of marts, which dbt would take for buildable
# all the same: it looks at the ancestors of what it selects before it excludes.
EVENTS_LAYER = Selection(
    (
        "path:seeds",
        "path:models/staging",
        "path:models/intermediate",
        "path:models/ops/made_reviews.sql",
        "path:models/ops/rejects.sql",
        "path:models/ops/source_drift.sql",
    ),
    (OUTCOMES, *DIMENSIONS.select, *WEEKLY.select, *MONTHLY.select, *YEARLY.select, "path:models/marts", "path:tests"),
)
# Tests that look at something of the one load and something of the other.
RELATIONSHIPS = Selection(("tag:daily_events_load,tag:daily_dimensions_sync",))

# What a review reads and what its numbers depend on: the marts of the two daily loads (decision D10).
EVENT_MARTS = ("dim_cases", "dim_tasks", "fact_cases", "fact_tasks", "fact_wellbeing_checkins")
DIMENSION_MARTS = (
    "bridge_entity_labels",
    "dim_dates",
    "dim_labels",
    "dim_learning_groups",
    "dim_organizations",
    "dim_persons",
    "dim_roles",
)
EVENT_REPORTS = ("report_profile_scores", "report_sla_breaches", "report_task_volume")
# The review requests are drawn from all three: each must have been built once, if only by `insights build`.
PATTERNS = ("pattern_weekly", "pattern_monthly", "pattern_yearly")

SECONDS = timedelta(seconds=1)


@dataclass(frozen=True)
class Flow:
    """One DAG: how it makes its steps, how long its gate waits and a run may take, and what it does in words."""

    steps: Callable[[timedelta], None]
    wait: timedelta
    run_timeout: timedelta
    does: str


def _daily_events_load(wait: timedelta) -> None:
    gate = _gate("daily_events_load", wait)
    layer = build_task("staging_and_intermediate", EVENTS_LAYER)
    facts, reports = run_task("facts", FACTS), run_task("reports", REPORTS)
    tests = test_task("tests", EVENTS, "buildable")
    purge = PurgeOperator(task_id="purge")
    load_log = LoadLogOperator(task_id="load_log", relations=EVENT_MARTS + EVENT_REPORTS)
    chain(gate, layer, facts, reports, tests, purge, load_log)


def _daily_dimensions_sync(wait: timedelta) -> None:
    gate = _gate("daily_dimensions_sync", wait, present=EVENT_MARTS)
    dimensions = build_task("dimensions", DIMENSIONS)
    tests = test_task("relationship_tests", RELATIONSHIPS, "eager")
    chain(gate, dimensions, tests, LoadLogOperator(task_id="load_log", relations=DIMENSION_MARTS))


def _weekly_pattern_review(wait: timedelta) -> None:
    reconcile = ReconcileOperator(task_id="reconcile")
    _review("weekly_pattern_review", wait, WEEKLY, reconcile)


def _monthly_trend_report(wait: timedelta) -> None:
    _review("monthly_trend_report", wait, MONTHLY)


def _yearly_systemic_review(wait: timedelta) -> None:
    _review("yearly_systemic_review", wait, YEARLY)


def _review(dag_key: str, wait: timedelta, selection: Selection, *before: BaseOperator) -> None:
    built = f"pattern_{dag_key.partition('_')[0]}"
    others = tuple(name for name in PATTERNS if name != built)
    gate = _gate(dag_key, wait, loaded=EVENT_MARTS + DIMENSION_MARTS, present=others)
    # With its tests, also those that look at dimensions, which the gate has seen.
    review = model_tasks("review", selection, ["build", *NO_UNIT_TESTS, "--indirect-selection", "eager"])
    chain(gate, *before, review, SendReviewsOperator(task_id="send_reviews"))


def _cache_warmup_dashboards(wait: timedelta) -> None:
    chain(_gate("cache_warmup_dashboards", wait), WarmOperator(task_id="warm"))


def _gate(dag_key: str, wait: timedelta, *, loaded: tuple[str, ...] = (), present: tuple[str, ...] = ()) -> Gate:
    interval = min(60 * SECONDS, wait / 2)
    return Gate(
        task_id="gate", dag_key=dag_key, loaded=loaded, present=present, timeout=wait / SECONDS, poke_interval=interval
    )


FLOWS = {
    "daily_events_load": Flow(
        _daily_events_load,
        wait=timedelta(minutes=30),
        run_timeout=timedelta(hours=4),
        does="""\
1. `gate`: the operational tables can be read and the warehouse is prepared.
2. `staging_and_intermediate`: the reference data, the views over the operational tables, what this load recomputes and
   what is rejected, in one dbt build.
3. `facts`: facts, `dim_tasks` and `dim_cases`, in one dbt run.
4. `reports`: the daily reports, and the view that they read, in one dbt run.
5. `tests`: every data test that needs no dimension of the sync at 02:30.
6. `purge`: what is out of retention leaves.
7. `load_log`: each mart is in the load log as of this run's `as_of`.""",
    ),
    "daily_dimensions_sync": Flow(
        _daily_dimensions_sync,
        wait=timedelta(minutes=30),
        run_timeout=timedelta(hours=4),
        does="""\
1. `gate`: the operational tables can be read, and facts were loaded once.
2. `dimensions`: the history of organizations, roles and labels, the dimensions, and what is wrong at the source, with
   their tests, in one dbt build.
3. `relationship_tests`: whether each fact finds its dimensions.
4. `load_log`: each dimension is in the load log as of this run's `as_of`.""",
    ),
    "weekly_pattern_review": Flow(
        _weekly_pattern_review,
        wait=timedelta(hours=2),
        run_timeout=timedelta(hours=6),
        does="""\
1. `gate`: waits for both daily loads of `as_of`.
2. `reconcile`: compares every row with its source, and repairs what the loads had missed.
3. `review`: `pattern_weekly` over `patterns.weekly.window_days`, then the review cases that it asks for, each with its
   tests.
4. `send_reviews`: posts pending review cases to Core Services.""",
    ),
    "monthly_trend_report": Flow(
        _monthly_trend_report,
        wait=timedelta(hours=2),
        run_timeout=timedelta(hours=6),
        does="""\
1. `gate`: waits for both daily loads of `as_of`.
2. `review`: `report_monthly_trends` and `pattern_monthly`, then the review cases that it asks for, each with its tests.
3. `send_reviews`: posts pending review cases to Core Services.""",
    ),
    "yearly_systemic_review": Flow(
        _yearly_systemic_review,
        wait=timedelta(hours=2),
        run_timeout=timedelta(hours=6),
        does="""\
1. `gate`: waits for both daily loads of `as_of`.
2. `review`: `pattern_yearly` over `patterns.yearly.window_days`, then the review cases that it asks for, each with its
   tests.
3. `send_reviews`: posts pending review cases to Core Services.""",
    ),
    "cache_warmup_dashboards": Flow(
        _cache_warmup_dashboards,
        wait=timedelta(minutes=2),
        run_timeout=timedelta(minutes=14),
        does="""\
1. `gate`: the warehouse answers.
2. `warm`: fills the cache of the dashboards, what is asked most first, for at most `cache.warm_seconds`, and reads back
   what it wrote as a reader would.""",
    ),
}
