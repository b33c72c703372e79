"""The DAGs of Orgo Insights for Airflow's dags folder: config/insights/dags.yaml lists them, docs/airflow.md helps.

Parsing reads files only. An error in the configuration or in dbt's manifest is an import error of this file.
"""

from orchestration.config.files import load_settings
from orchestration.dags.factory import build_dags

globals().update({dag.dag_id: dag for dag in build_dags(load_settings())})
