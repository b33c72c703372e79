"""What the work on Insights needs and its users do not: sample, demo, private servers, Airflow, incident import."""
