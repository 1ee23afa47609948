"""The REST API: which path does what, and every failure as {"error": …} with its status."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from .documents import metadata_document, status_document
from .errors import RestError
from .predict import parse_body, read_request, write_answer
from .triton import Triton


class ModelName(StringConvertor):
    """A model's name in a path, which ends where `:predict` begins."""

    regex = "[^/:]+"


@dataclass(frozen=True)
class Limits:
    """What one request may take, and how many are worked on at a time: the memory that the front needs at most."""

    timeout_s: float = 60.0
    request_bytes: int = 16_000_000
    in_flight: int = 16


def make_app(triton_address: str, limits: Limits) -> Starlette:
    """The application that answers for the models of the Triton server at `triton_address` (its gRPC port)."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.front = Front(Triton(triton_address, limits.timeout_s), limits)
        yield
        await app.state.front.triton.close()

    register_url_convertor("model", ModelName())
    model = "/v1/models/{model:model}"
    one_version = model + "/versions/{version:int}"
    routes = [Route("/v2/health/live", _live), Route("/v2/health/ready", _ready)]
    for path in (one_version, model):
        routes += [
            Route(path + ":predict", _predict, methods=["POST"]),
            Route(path + ":{method}", _no_examples, methods=["POST"]),
            Route(path + "/metadata", _metadata),
            Route(path, _status),
        ]
    handlers: Any = {
        RestError: _rest_error,
        HTTPException: _no_such_path,
        ClientDisconnect: _gone,
        Exception: _failure,
    }
    return Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers)


class Front:
    """What the handlers share: the way to Triton, the limits, and the places for requests in flight."""

    def __init__(self, triton: Triton, limits: Limits) -> None:
        self.triton, self.limits = triton, limits
        self.places = asyncio.Semaphore(limits.in_flight)

    async def body(self, request: Request) -> bytes:
        """The request's body; RestError 413 when it is larger than allowed, 408 when it takes too long to come."""
        if request.headers.get("content-encoding", "identity") != "identity":
            raise RestError(415, "Content-Encoding is not supported: send the JSON as it is")
        parts, size = [], 0
        try:
            async with asyncio.timeout(self.limits.timeout_s):
                async for part in request.stream():
                    size += len(part)
                    # What is too much is still read: a client that cannot send on never sees the answer.
                    if size <= self.limits.request_bytes:
                        parts.append(part)
        except TimeoutError:
            raise RestError(408, f"The request did not come within {self.limits.timeout_s:g} s") from None
        if size > self.limits.request_bytes:
            raise RestError(413, f"The request has {size} bytes, more than the {self.limits.request_bytes} allowed")
        return b"".join(parts)


async def _predict(request: Request) -> Response:
    front, (model, version) = _front(request), _asked_for(request)
    # A request waits for its place before its body is read: memory stays bounded, and the client is held back.
    async with front.places:
        body = await front.body(request)
        signature = await front.triton.signature(model, version)
        # While Triton works only the arrays are kept: as Python's numbers they would take ten times their memory.
        asked = read_request(parse_body(body), signature)
        del body
        outputs = await front.triton.infer(model, version, signature, asked.arrays)
        return _json(write_answer(outputs, asked.rows))


async def _no_examples(request: Request) -> Response:
    raise RestError(501, f"{request.path_params['method']} needs tf.Example protobufs, which Triton does not take")


async def _status(request: Request) -> Response:
    model, version = _asked_for(request)
    versions = await _front(request).triton.versions(model)
    return _json(json.dumps(status_document(model, version, versions)))


async def _metadata(request: Request) -> Response:
    front, (model, version) = _front(request), _asked_for(request)
    signature = await front.triton.signature(model, version)
    if not version:
        version = next((one.number for one in await front.triton.versions(model) if one.is_ready), "")
    return _json(json.dumps(metadata_document(model, version, signature)))


async def _live(request: Request) -> Response:
    return _json("{}")


async def _ready(request: Request) -> Response:
    if not await _front(request).triton.is_ready():
        raise RestError(503, "Triton is not ready")
    return _json("{}")


def _front(request: Request) -> Front:
    front: Front = request.app.state.front
    return front


def _asked_for(request: Request) -> tuple[str, str]:
    return request.path_params["model"], str(request.path_params.get("version", ""))


def _json(text: str, status: int = 200) -> Response:
    return Response(text, status, media_type="application/json")


def _error(status: int, message: str) -> Response:
    return _json(json.dumps({"error": message}), status)


async def _rest_error(request: Request, error: RestError) -> Response:
    return _error(error.status, error.message)


async def _no_such_path(request: Request, error: HTTPException) -> Response:
    # TensorFlow Serving calls a path of its API that it doesn't know a bad request.
    status = 400 if request.url.path.startswith("/v1/") else error.status_code
    return _error(status, f"Malformed request: {request.method} {request.url.path}")


async def _gone(request: Request, error: ClientDisconnect) -> Response:
    return _error(499, "The client went before its request was complete")


async def _failure(request: Request, error: Exception) -> Response:
    return _error(500, f"{type(error).__name__}: {error}")
