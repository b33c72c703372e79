"""Copies of the operational tables in another engine, by dlt (D282)."""
