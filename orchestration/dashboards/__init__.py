"""Answers dashboard questions: who may ask, from the cache where possible, else with one query.

`definitions` reads the dashboards from dbt's exposures; `access` says who may ask what; `question` normalises what was
asked and makes its key; `query` makes the one statement; `warehouse` runs it; `reader` is what a service calls.
"""
