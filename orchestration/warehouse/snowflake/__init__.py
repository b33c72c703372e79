"""The warehouse in Snowflake, built from operational tables that a replication delivers (decision D295)."""
