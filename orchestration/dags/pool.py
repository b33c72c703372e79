"""The pool of the steps that write marts, one at a time over all DAGs (decisions D91 and D273)."""

from __future__ import annotations

WRITER_POOL = "insights_writer"
MAKE_POOL = f"airflow pools set {WRITER_POOL} 1 'One writer'"


def pool_problem() -> str | None:
    """Return what is wrong with the writer pool, None if nothing: tasks of a missing pool would be queued forever.

    It asks Airflow's database, which in Airflow 3 commands may do, and tasks may not.
    """
    from airflow.models.pool import Pool

    pool = Pool.get_pool(WRITER_POOL)
    if pool is not None and pool.slots == 1:
        return None
    found = f"has {pool.slots} slots" if pool else "does not exist"
    return f"Airflow's pool {WRITER_POOL} {found}; it must have one slot. Run: {MAKE_POOL}"
