"""What the jobs of dags.yaml do, without Airflow: `readiness` and `work` have the steps, which the operators call too.

`local` runs a job on one host, and `units` writes the systemd units that start it (decisions D237 and D238).
"""
