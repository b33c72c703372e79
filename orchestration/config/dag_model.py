"""The schema of config/insights/dags.yaml (specification, section 4.1)."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from orchestration.config.cron import cron_problem
from orchestration.config.tokens import Environment, Metadata, Section, Text
from orchestration.flows import FLOWS


def _cron(value: str) -> str:
    if problem := cron_problem(value):
        raise PydanticCustomError("cron", "{problem}", {"problem": problem})
    return value


class Dag(Section):
    """One DAG of the inventory."""

    id: Annotated[str, Field(pattern=r"^insights_[a-z0-9_]+$")] = Field(description="DAG id in Airflow.")
    schedule: Annotated[str, AfterValidator(_cron)] = Field(description="Cron expression of five fields, in UTC.")
    description: Text = Field(description="What the DAG does, in one sentence.")
    enabled_environments: list[Environment] = Field(description="Environments in which it runs on its schedule.")
    queue_job_id: Annotated[str, Field(pattern=r"^orgo\.[a-z0-9.-]+$")] = Field(description="Name in Orgo's job queue.")


def _keys(schema: dict[str, Any]) -> None:
    """Make editors accept the keys of the flows only; `consistency` checks them, with a line and a remedy."""
    schema |= {"required": list(FLOWS), "propertyNames": {"enum": list(FLOWS)}}


class DagsFile(Section):
    """The file config/insights/dags.yaml."""

    metadata: Metadata | None = Field(default=None, description="Version and date of the file.")
    etl_dags: dict[str, Dag] = Field(
        description="The DAGs, one for each flow of orchestration/flows.py.", json_schema_extra=_keys
    )
