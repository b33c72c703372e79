"""The database side: preparing a database, connecting to it, one writer at a time, and what was loaded."""
