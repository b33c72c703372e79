"""Create the operational tables in the database of the PG* variables: `python -m workshop.operational`."""

from orchestration.warehouse.connection import connect
from workshop.operational import create_operational_schema

with connect() as connection:
    create_operational_schema(connection)
