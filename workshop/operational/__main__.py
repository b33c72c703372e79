"""`python -m workshop.operational`: create the operational tables where libpq's variables point."""

from orchestration.warehouse.connection import connect
from workshop.operational import create_operational_schema

with connect() as connection:
    create_operational_schema(connection)
