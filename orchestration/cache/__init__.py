"""Caches answers in Redis (specification, section 2.3); without a working Redis, every answer is computed.

`entries` defines the format of an entry, `seals` its seal, `keys` its Redis key; `store` is the Redis client;
`single_flight` lets one thread compute for all threads of a process; `answers` combines them across processes;
`counters` counts outcomes. This package knows nothing about dashboards.
"""
