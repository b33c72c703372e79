"""The warehouse in a file of DuckDB, built from a snapshot of the operational tables (decision D249)."""
