"""Airflow's side of the project; nothing outside this folder imports Airflow.

`factory` makes the six DAGs of config/insights/dags.yaml, `flows` says which steps each has, `rendering` lets Cosmos
turn dbt's models into tasks, `operators` and `gate` are the steps, `clock` is the `as_of` of a run.
"""
