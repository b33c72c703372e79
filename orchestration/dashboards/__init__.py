"""Answers dashboard questions: checks access, reads the cache, and runs at most one query (sections 2.3 and 2.5).

`orchestration.service` is the interface for a service, over `reader`. `definitions` reads the dashboards from dbt's
exposures; `access` decides which roles may see what; `question` normalizes a question and makes its cache key; `query`
builds its statement; `warehouse` runs it on the connections of `pool`; `warm` fills the cache in advance.
"""
