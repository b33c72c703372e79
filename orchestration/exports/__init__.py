"""Exports rows and aggregates from the warehouse to files or object storage (section 2.4; decision D12)."""
