"""What each DAG does, as data: its steps in order, and its limits of time; dags/steps.py makes Airflow's tasks of them.

Nothing here imports Airflow: the configuration checks the keys of config/insights/dags.yaml against FLOWS. Selectors
are those of selectors.yml. The models of a review have a task each, to see and to start again; the daily loads are one
dbt command a layer. Decision D86 has what both cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal


@dataclass(frozen=True)
class Marts:
    """Marts by their folder below models/marts and, if given, by the DAG that builds them, which is their tag."""

    folder: str
    dag: str | None = None


@dataclass(frozen=True)
class Step:
    """One step: the id of its task, which also names its operator, and what it does in words."""

    task_id: str
    does: str


@dataclass(frozen=True)
class Dbt(Step):
    """One dbt command over a selector. `run` makes models without tests, so that a failed one does not stop others."""

    command: Literal["build", "run", "test"]
    selector: str


@dataclass(frozen=True)
class Models(Step):
    """One `dbt build` for each model of a selector, with its tests."""

    selector: str


@dataclass(frozen=True)
class Gate(Step):
    """The first step. `loaded` are marts that must be loaded as of the run's `as_of`, `present` those loaded at all.

    Marts of the DAG itself need not be present. Without `loaded` the operational tables must answer.
    """

    loaded: tuple[Marts, ...] = ()
    present: tuple[Marts, ...] = ()


@dataclass(frozen=True)
class Flow:
    """One DAG: its steps, how long its gate waits, and how long a run may take."""

    wait: timedelta
    run_timeout: timedelta
    steps: tuple[Step, ...]


FACTS = Marts("core", "daily_events_load")
DIMENSIONS = Marts("core", "daily_dimensions_sync")
# The review requests are drawn from all of them, so each must have been built once.
PATTERNS = Marts("patterns")

# A review depends on the marts of both daily loads (decision D10).
REVIEW_GATE = Gate("gate", "waits for both daily loads of `as_of`.", loaded=(FACTS, DIMENSIONS), present=(PATTERNS,))
SEND_REVIEWS = Step("send_reviews", "posts pending review cases to Core Services.")

FLOWS = {
    "daily_events_load": Flow(
        wait=timedelta(minutes=30),
        run_timeout=timedelta(hours=4),
        steps=(
            Gate("gate", "the operational tables can be read and the warehouse is prepared."),
            Dbt(
                "staging_and_intermediate",
                "the reference data, the views over the operational tables, what this load recomputes and what is"
                " rejected, in one dbt build.",
                "build",
                "events_layer",
            ),
            Dbt("facts", "facts, `dim_tasks` and `dim_cases`, in one dbt run.", "run", "events_facts"),
            Dbt("reports", "the daily reports, and the view that they read, in one dbt run.", "run", "events_reports"),
            Dbt("tests", "every data test that needs no dimension of the sync at 02:30.", "test", "events_tests"),
            Step("purge", "deletes what is out of retention."),
            Step("load_log", "each mart is in the load log as of this run's `as_of`."),
        ),
    ),
    "daily_dimensions_sync": Flow(
        wait=timedelta(minutes=30),
        run_timeout=timedelta(hours=4),
        steps=(
            Gate("gate", "the operational tables can be read, and facts were loaded once.", present=(FACTS,)),
            Dbt(
                "dimensions",
                "the history of organizations, roles and labels, the dimensions, and what is wrong at the source, with"
                " their tests, in one dbt build.",
                "build",
                "dimensions",
            ),
            Dbt("relationship_tests", "whether each fact finds its dimensions.", "test", "relationships"),
            Step("load_log", "each dimension is in the load log as of this run's `as_of`."),
        ),
    ),
    "weekly_pattern_review": Flow(
        wait=timedelta(hours=2),
        run_timeout=timedelta(hours=6),
        steps=(
            REVIEW_GATE,
            Step("reconcile", "compares every row with its source, and repairs what the loads missed."),
            Models(
                "review",
                "`pattern_weekly` over `patterns.weekly.window_days`, then the review cases that it asks for, each with"
                " its tests.",
                "weekly_pattern_review",
            ),
            SEND_REVIEWS,
        ),
    ),
    "monthly_trend_report": Flow(
        wait=timedelta(hours=2),
        run_timeout=timedelta(hours=6),
        steps=(
            REVIEW_GATE,
            Models(
                "review",
                "`report_monthly_trends` and `pattern_monthly`, then the review cases that it asks for, each with its"
                " tests.",
                "monthly_trend_report",
            ),
            SEND_REVIEWS,
        ),
    ),
    "yearly_systemic_review": Flow(
        wait=timedelta(hours=2),
        run_timeout=timedelta(hours=6),
        steps=(
            REVIEW_GATE,
            Models(
                "review",
                "`pattern_yearly` over `patterns.yearly.window_days`, then the review cases that it asks for, each with"
                " its tests.",
                "yearly_systemic_review",
            ),
            SEND_REVIEWS,
        ),
    ),
    "cache_warmup_dashboards": Flow(
        wait=timedelta(minutes=2),
        run_timeout=timedelta(minutes=14),
        steps=(
            Gate("gate", "the warehouse answers."),
            Step(
                "warm",
                "fills the cache of the dashboards, what is asked most first, for at most `cache.warm_seconds`, and"
                " reads back what it wrote as a reader would.",
            ),
        ),
    ),
}
