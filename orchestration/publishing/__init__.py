"""Copies what dashboards and exports declare from a file of DuckDB to the PostgreSQL that serves it (decision D263)."""
