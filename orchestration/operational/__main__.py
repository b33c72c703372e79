"""`python -m orchestration.operational`: create the operational tables where libpq's variables point."""

from orchestration.operational import create_operational_schema
from orchestration.warehouse.connection import connect

with connect() as connection:
    create_operational_schema(connection)
