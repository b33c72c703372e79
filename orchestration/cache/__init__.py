"""Keeps results in Redis for whoever asks next; a Redis that fails costs nobody an answer.

`entries` is what is kept and how it is recognised, `keys` where; `store` speaks with Redis; `single_flight` lets one
asker of a process compute for the others; `answers` puts them together, across processes; `counters` counts what came
of it. None of them knows what a dashboard is.
"""
