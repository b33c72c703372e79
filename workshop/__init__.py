"""Development tools that the product does not ship: sample data, demo, private servers, Airflow, incident import."""
