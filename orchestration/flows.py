"""Defines each DAG as data: its ordered steps and its time limits. dags/steps.py makes Airflow tasks from them.

This module does not import Airflow, because the configuration checks the keys of config/insights/dags.yaml against
FLOWS. Selectors are those of selectors.yml. Each model of a review has its own task, so that it can be watched and
restarted; a daily load is one dbt command for each layer. Decision D86 has the cost of both.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal


@dataclass(frozen=True)
class Marts:
    """Marts below a folder of models/marts, restricted to those with the tag of the DAG `dag`, if given."""

    folder: str
    dag: str | None = None


@dataclass(frozen=True)
class Step:
    """One step: its task id, which also selects its operator, and a description for the documentation of the DAG."""

    task_id: str
    does: str


@dataclass(frozen=True)
class Dbt(Step):
    """One dbt command over a selector. `run` skips the tests, so that a failed one does not block other models.

    With `checks_rows`, the first command of a load, it fails like the gate if the source has lost too many rows
    meanwhile: hours may pass between the two, and the task may be cleared (decision D142).
    """

    command: Literal["build", "run", "test"]
    selector: str
    checks_rows: bool = False


@dataclass(frozen=True)
class Always(Step):
    """A step that runs even if the step before it failed, which still fails the run; a skipped run skips it."""


@dataclass(frozen=True)
class Aside(Step):
    """A step that no later step waits for; its failure fails the run."""


@dataclass(frozen=True)
class Models(Step):
    """One `dbt build`, with tests, for each model of a selector."""

    selector: str


@dataclass(frozen=True)
class Gate(Step):
    """The first step: waits for a load of `loaded` as of the run's `as_of`, and requires any load of `present`.

    Marts of the DAG itself need not be present. Without `loaded`, the operational tables must be readable. With
    `checks_rows`, the gate of a load, it also fails if the source has lost too many rows (decision D142).
    """

    loaded: tuple[Marts, ...] = ()
    present: tuple[Marts, ...] = ()
    checks_rows: bool = False


@dataclass(frozen=True)
class Flow:
    """One DAG: its steps, the time limit of its gate, and that of a whole run."""

    wait: timedelta
    run_timeout: timedelta
    steps: tuple[Step, ...]


# Attempts of a step after the first, and the pause before them, which doubles each time up to the longest (D164).
RETRIES = 3
RETRY_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(minutes=15)


def between_checks(flow: Flow) -> timedelta:
    """Return the time between two checks of a gate."""
    return min(timedelta(minutes=1), flow.wait / 2)


def step_timeout(flow: Flow) -> timedelta:
    """Return the time limit of one step."""
    return flow.run_timeout / 2


FACTS = Marts("core", "daily_events_load")
DIMENSIONS = Marts("core", "daily_dimensions_sync")
# Review requests read all pattern tables, so each must have been built once.
PATTERNS = Marts("patterns")

# A review depends on the marts of both daily loads (decision D10).
REVIEW_GATE = Gate("gate", "waits for both daily loads of `as_of`.", loaded=(FACTS, DIMENSIONS), present=(PATTERNS,))
SEND_REVIEWS = Step("send_reviews", "posts pending review cases to Core Services.")
# The step succeeds whatever becomes of a delivery: `insights digest list`, a metric and an alert tell (decision D254).
SEND_DIGESTS = Aside(
    "send_digests", "sends the digests that are due; the daily sync tries again what was not delivered."
)


def _review(dag: str, does: str, *first: Step, export: Aside | None = None) -> Flow:
    """Return the flow of a review: its gate, steps of its own, its models, exports and digests, and the delivery."""
    asides = (*filter(None, [export]), SEND_DIGESTS)
    steps = (REVIEW_GATE, *first, Models("review", does, dag), *asides, SEND_REVIEWS)
    return Flow(wait=timedelta(hours=2), run_timeout=timedelta(hours=6), steps=steps)


FLOWS = {
    "daily_events_load": Flow(
        wait=timedelta(minutes=30),
        run_timeout=timedelta(hours=4),
        steps=(
            Gate(
                "gate",
                "checks that the operational tables can be read and have not lost a large share of their rows, and that"
                " the warehouse is prepared.",
                checks_rows=True,
            ),
            Dbt(
                "staging_and_intermediate",
                "builds the reference data, the views over the operational tables, the rows that this load recomputes"
                " and the rejects, in one dbt build.",
                "build",
                "events_layer",
                checks_rows=True,
            ),
            Dbt("facts", "builds the facts, `dim_tasks` and `dim_cases` in one dbt run.", "run", "events_facts"),
            Dbt("reports", "builds the daily reports and the view they read in one dbt run.", "run", "events_reports"),
            Dbt("tests", "runs every data test that needs no dimension of the sync at 02:30.", "test", "events_tests"),
            Always("purge", "deletes rows that are out of retention, whatever the tests found."),
            Step("load_log", "checks that the load log has each mart as of this run's `as_of`."),
        ),
    ),
    "daily_dimensions_sync": Flow(
        wait=timedelta(minutes=30),
        run_timeout=timedelta(hours=4),
        steps=(
            Gate(
                "gate",
                "checks that the operational tables can be read and have not lost a large share of their rows, and that"
                " facts have been loaded at least once.",
                present=(FACTS,),
                checks_rows=True,
            ),
            Dbt(
                "dimensions",
                "builds the history of organizations, roles and labels, the dimensions and the data quality findings,"
                " with their tests, in one dbt build.",
                "build",
                "dimensions",
                checks_rows=True,
            ),
            Dbt("relationship_tests", "tests that each fact finds its dimensions.", "test", "relationships"),
            Step("load_log", "checks that the load log has each dimension as of this run's `as_of`."),
            Aside("export_day", "makes the exports of `exports.scheduled` of the day before `as_of`."),
            SEND_DIGESTS,
        ),
    ),
    "weekly_pattern_review": _review(
        "weekly_pattern_review",
        "builds `pattern_weekly` over `patterns.weekly.window_days`, then its review cases, each with tests.",
        Step("reconcile", "compares every row with its source, and repairs rows that the loads missed."),
        Aside("recount", "runs every data test over all rows; the review does not wait for it."),
        export=Aside("export_week", "makes the exports of `exports.scheduled` of the week before."),
    ),
    "monthly_trend_report": _review(
        "monthly_trend_report",
        "builds `report_monthly_trends` and `pattern_monthly`, then its review cases, each with tests.",
        export=Aside("export_month", "makes the exports of `exports.scheduled` of the month before."),
    ),
    "yearly_systemic_review": _review(
        "yearly_systemic_review",
        "builds `pattern_yearly` over `patterns.yearly.window_days`, then its review cases, each with tests.",
    ),
    "cache_warmup_dashboards": Flow(
        wait=timedelta(minutes=2),
        run_timeout=timedelta(minutes=14),
        steps=(
            Gate("gate", "checks that the warehouse responds."),
            Step(
                "warm",
                "fills the dashboard cache for at most `cache.warm_seconds`, the most requested answers first, and"
                " reads back each stored answer.",
            ),
        ),
    ),
}
