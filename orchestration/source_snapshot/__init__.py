"""Snapshots of the operational tables: one Parquet file a table, from which DuckDB builds without a server (D248)."""
