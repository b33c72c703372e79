"""Records how a run of a job ended, and tells people what is new (specification, section 6.3)."""

from __future__ import annotations

import logging

from orchestration.config.files import Settings
from orchestration.errors import InsightsError
from orchestration.monitoring.alerts import deliver
from orchestration.monitoring.messages import message
from orchestration.monitoring.outcomes import Ended, Recorded, record, record_undelivered
from orchestration.warehouse.database import Database

LOG = logging.getLogger(__name__)


def record_and_tell(settings: Settings, ended: Ended) -> None:
    """Record a run, and tell people what is new. Where the warehouse does not answer, they are told all the same.

    Raises InsightsError if a message reached nobody and that cannot be recorded.
    """
    try:
        with Database.open(settings) as db:
            before = record(db, ended)
    except InsightsError as error:
        LOG.warning("The end of %s in %s was not recorded: %s", ended.run_id, ended.dag_id, error)
        before = Recorded(is_new=True, failing_since=None)
    told = message(settings, ended, before)
    failures = deliver(settings, *told) if told else []
    for failure in failures:
        LOG.error("A message about %s reached nobody by %s", ended.dag_id, failure)
    if failures:
        with Database.open(settings) as db:
            record_undelivered(db, ended.dag_id, failures)
