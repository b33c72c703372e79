"""The six DAGs of Orgo Insights, for Airflow's dags folder: config/insights/dags.yaml says which, docs/airflow.md how.

Parsing reads files only. What is wrong with the configuration, or with dbt's manifest, is this file's import error.
"""

from orchestration.config.files import load_settings
from orchestration.dags.factory import build_dags

globals().update({dag.dag_id: dag for dag in build_dags(load_settings())})
