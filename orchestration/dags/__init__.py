"""The Airflow DAGs (specification, section 4); only this package imports Airflow.

`factory` makes the DAGs of config/insights/dags.yaml, `steps` the tasks of their flows (orchestration/flows.py);
`rendering` turns dbt's models into tasks with Cosmos; `operators` and `gate` are the operators; `clock` is the `as_of`
of a run, `outcomes` its end; `airflow_versions` has what Airflow 2.8 and 3 call differently.
"""
