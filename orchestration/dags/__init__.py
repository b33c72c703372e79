"""Airflow's side of the project; nothing outside this folder imports Airflow.

`factory` makes the DAGs of config/insights/dags.yaml, `steps` the tasks of their flows (orchestration/flows.py),
`rendering` lets Cosmos turn dbt's models into tasks, `operators` and `gate` are the operators, `clock` is the `as_of`
of a run.
"""
