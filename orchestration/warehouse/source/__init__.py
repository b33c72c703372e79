"""The operational tables: how many rows they have, which old ones came or went, and whether Orgo still writes."""
