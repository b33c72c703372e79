"""Exports: rows and aggregates that leave the warehouse, to files or to object storage (section 2.4, decision D12)."""
