"""The warehouse database: preparation, connections, locks, names, errors and the load log."""
