"""The parameters of a DAG run by which an operator confirms what a load would refuse (decisions D142 and D143)."""

from __future__ import annotations

from orchestration.dags.airflow_versions import Context, Param
from orchestration.warehouse.source.guard import Confirmed

_DESCRIPTIONS = {
    "accept_vanished": "Confirms that rows which vanished from the operational tables were deleted on purpose.",
    "accept_cutoff": "Confirms a day that puts most rows of the operational tables out of retention.",
}


def confirmation_params() -> dict[str, Param]:
    """Return the parameters, which are false by default."""
    return {name: Param(False, type="boolean", title=name, description=text) for name, text in _DESCRIPTIONS.items()}


def run_confirmed(context: Context) -> Confirmed:
    """Return what the parameters of a run confirm."""
    params = context["params"]
    return Confirmed(vanished=bool(params.get("accept_vanished")), cutoff=bool(params.get("accept_cutoff")))
