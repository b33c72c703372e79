"""Reads the values of environment variables that are secrets or contain one; `by_file` is the one place that does."""
