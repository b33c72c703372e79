"""The shape of config/insights/dags.yaml (specification, section 4.1)."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from orchestration.config.cron import cron_problem
from orchestration.config.tokens import Environment, Metadata, Section, Text


def _cron(value: str) -> str:
    if problem := cron_problem(value):
        raise PydanticCustomError("cron", "{problem}", {"problem": problem})
    return value


class Dag(Section):
    """One scheduled job."""

    id: Annotated[str, Field(pattern=r"^insights_[a-z0-9_]+$")] = Field(description="Its name in Airflow.")
    schedule: Annotated[str, AfterValidator(_cron)] = Field(description="Five fields of cron, in UTC.")
    description: Text = Field(description="What it does, in a sentence.")
    enabled_environments: list[Environment] = Field(description="Where it runs on its schedule.")
    queue_job_id: Annotated[str, Field(pattern=r"^orgo\.[a-z0-9.-]+$")] = Field(
        description="Its name in Orgo's job queue."
    )


class EtlDags(Section):
    """The six jobs of the inventory."""

    daily_events_load: Dag
    daily_dimensions_sync: Dag
    weekly_pattern_review: Dag
    monthly_trend_report: Dag
    yearly_systemic_review: Dag
    cache_warmup_dashboards: Dag


class DagsFile(Section):
    """config/insights/dags.yaml as a whole."""

    metadata: Metadata
    etl_dags: EtlDags
