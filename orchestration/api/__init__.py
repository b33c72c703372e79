"""The reporting service, `reports-api`: answers over HTTP (specification, sections 1.4 and 6; docs/reports-api.md).

`server` starts it; `app` makes its ASGI application from the operations of `operations`, which are made from the
dashboards, of `patterns`, and of `client_reports`, which Orgo's own web client calls. `tokens` says who asks, with the
keys of `jwks`; `workers` bounds the work; `answers` makes the bodies; `problems` the errors; `openapi` describes
everything; `metrics` and `observed` measure and log it.
"""
