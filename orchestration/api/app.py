"""The ASGI application: a route for each operation, which asks who calls and does the work on a thread."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from orchestration.api import metrics as metrics_module
from orchestration.api.answers import JSON, Reply, document, not_modified
from orchestration.api.client_reports import client_operations
from orchestration.api.exports import export_operation
from orchestration.api.limits import seconds_left
from orchestration.api.metrics import Metrics
from orchestration.api.observed import RECORD, Observed, Record
from orchestration.api.openapi import openapi
from orchestration.api.operations import Call, Operation, operations
from orchestration.api.page_files import page_routes
from orchestration.api.patterns import pattern_operations
from orchestration.api.problems import BY_STATUS, MEDIA_TYPE, Problem, problem, problem_of
from orchestration.api.recent import Recent, Repeating
from orchestration.api.service import MILLISECONDS, Service
from orchestration.api.tokens import Caller
from orchestration.api.workers import Workers
from orchestration.errors import InsightsError, NotFoundError

logger = logging.getLogger(__name__)

COMPRESSED_BYTES = 1000  # a smaller body is sent as it is
UNAUTHENTICATED, TOO_MANY, UNAVAILABLE = 401, 429, 503
# What scripts of the allowed origins may send, and read of an answer beside its body.
SENT = ("Authorization", "If-None-Match")
READABLE = ("Age", "ETag", "Retry-After", "Server-Timing", "X-Request-Id")

Endpoint = Callable[[Request], Awaitable[Response]]


def application(service: Service) -> ASGIApp:
    """Return the application of a service; its shutdown lets the running work end and closes the service's reader."""
    rules, metrics = service.settings.insights.reports_api, Metrics()
    busy_seconds = rules.busy_ms / MILLISECONDS
    workers = Workers(rules.threads, busy_seconds, service.answer_seconds)
    readiness = Workers(1, busy_seconds, service.answer_seconds)  # so that a busy service is still ready
    found = [
        *operations(service),
        *pattern_operations(),
        export_operation(),
        *client_operations(service.reader.dashboards),
    ]

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        workers.close()
        readiness.close()
        service.reader.close()

    routes = [
        *(Route(operation.path, _endpoint(service, operation, workers)) for operation in found),
        *page_routes(service),
        Route("/healthz", _fixed(document({"status": "ok"}))),
        Route("/readyz", _readiness(service, readiness)),
        Route("/metrics", _metrics(metrics)),
        Route("/openapi.json", _fixed(document(openapi(found, service.authenticator.security)))),
    ]
    app = Starlette(routes=routes, lifespan=lifespan, exception_handlers={HTTPException: _no_route})
    app.router.redirect_slashes = False
    allowed = CORSMiddleware(
        app, rules.cors_origins, allow_methods=("GET",), allow_headers=SENT, expose_headers=READABLE
    )
    compressed = GZipMiddleware(allowed, minimum_size=COMPRESSED_BYTES)
    recent = Recent(rules.recent_ms / MILLISECONDS)
    return Observed(Repeating(compressed, recent, service.authenticator, service.limit), metrics)


def _endpoint(service: Service, operation: Operation, workers: Workers) -> Endpoint:
    retry_after = service.settings.insights.reports_api.retry_after_seconds

    async def answer(request: Request) -> Response:
        record: Record = request.scope[RECORD]
        record.route = operation.path
        work = partial(_work, service, operation, request, record)
        return await _response(work, workers, record, retry_after, operation.is_enveloped)

    return answer


def _work(service: Service, operation: Operation, request: Request, record: Record) -> Reply:
    """Answer one request to an operation, on a thread."""
    caller = service.authenticator.caller(request.headers)
    record.subject = caller.subject
    service.limit.count(caller)
    reply = operation.handle(_call(service, operation, request, record, caller))
    return not_modified(reply, request.headers.get("if-none-match"))


def _call(service: Service, operation: Operation, request: Request, record: Record, caller: Caller) -> Call:
    """Return the call of a request by a caller; raises NotFoundError unless it is about an organization of theirs."""
    record.subject = caller.subject
    pairs = request.query_params.multi_items()
    named = operation.named(request.path_params, pairs)
    ids = {service.organization(caller, given) for given in named} or {caller.organization_id}
    if len(ids) > 1:
        raise NotFoundError("The request names several organizations.")
    (organization_id,) = ids
    record.organization_id = organization_id
    return Call(service, caller, organization_id, pairs, request.path_params)


async def _response(
    work: Callable[[], Reply], workers: Workers, record: Record, retry_after: int, is_enveloped: bool = False
) -> Response:
    try:
        reply = await workers.run(work)
    except InsightsError as error:
        found = problem_of(error)
        record.outcome = found.kind.name
        if found.kind.status == UNAVAILABLE:
            logger.warning("%s: %s", record.request_id, error)
        return _refusal(found, retry_after, is_enveloped)
    except Exception:
        record.outcome = "failed"
        logger.exception("%s: a defect", record.request_id)
        return _refusal(problem("failed"), retry_after, is_enveloped)
    return _sent(reply, record)


def _sent(reply: Reply, record: Record) -> Response:
    record.outcome, record.repeat = reply.outcome, reply.repeat
    return Response(reply.body, reply.status, reply.headers, reply.media_type)


def _refusal(found: Problem, retry_after: int, is_enveloped: bool) -> Response:
    headers = {}
    if found.kind.status == UNAUTHENTICATED:
        headers["WWW-Authenticate"] = "Bearer"
    if found.kind.status in (TOO_MANY, UNAVAILABLE):
        headers["Retry-After"] = str(seconds_left() if found.kind.status == TOO_MANY else retry_after)
    if is_enveloped:
        return Response(found.envelope(), found.kind.status, headers, JSON)
    return Response(found.body(), found.kind.status, headers, MEDIA_TYPE)


def _readiness(service: Service, workers: Workers) -> Endpoint:
    retry_after = service.settings.insights.reports_api.retry_after_seconds

    def check() -> Reply:
        service.reader.check()
        return document({"status": "ready"})

    async def answer(_: Request) -> Response:
        return await _response(check, workers, Record(), retry_after)

    return answer


def _fixed(reply: Reply) -> Endpoint:
    async def answer(_: Request) -> Response:
        return Response(reply.body, media_type=reply.media_type)

    return answer


def _metrics(metrics: Metrics) -> Endpoint:
    async def answer(_: Request) -> Response:
        return Response(metrics.text(), media_type=metrics_module.MEDIA_TYPE)

    return answer


async def _no_route(_: Request, error: Exception) -> Response:
    """Answer a request to a path or by a method that does not exist; the same to everybody."""
    status = error.status_code if isinstance(error, HTTPException) else 0
    kind = BY_STATUS.get(status, BY_STATUS[404])
    headers = getattr(error, "headers", None)
    return Response(Problem(kind, kind.detail).body(), kind.status, headers, MEDIA_TYPE)
