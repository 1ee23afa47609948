"""The REST API: which path does what, and every failure as {"error": …} with its status."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from starlette.applications import Starlette
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from .documents import metadata_document, status_document
from .errors import BadRequestError, RestError
from .front import Front
from .limits import Limits
from .replies import document, reply, while_there

# TensorFlow Serving and Triton both keep a version in 63 bits.
_LAST_VERSION = 2**63 - 1
_DIGITS = len(str(_LAST_VERSION))


class ModelName(StringConvertor):
    """A model's name in a path, which ends where `:predict` begins."""

    regex = "[^/:]+"


class Version(StringConvertor):
    """A version in a path, of however many digits."""

    regex = "[0-9]+"


def make_app(triton_address: str, limits: Limits) -> Starlette:
    """The application that answers for the models of the Triton server at `triton_address` (its gRPC port)."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.front = Front(triton_address, limits)
        yield
        await app.state.front.close()

    register_url_convertor("model", ModelName())
    register_url_convertor("version", Version())
    model = "/v1/models/{model:model}"
    one_version = model + "/versions/{version:version}"
    routes = [Route("/v2/health/live", _live), Route("/v2/health/ready", _ready)]
    for path in (one_version, model):
        for end in ("", "/"):
            routes += [
                Route(path + ":predict" + end, _predict, methods=["POST"]),
                Route(path + ":{method}" + end, _no_examples, methods=["POST"]),
                Route(path + "/metadata" + end, _metadata),
                Route(path + end, _status),
            ]
    handlers: Any = {
        RestError: _rest_error,
        HTTPException: _no_such_path,
        ClientDisconnect: _gone,
        Exception: _failure,
    }
    app = Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers)
    app.router.redirect_slashes = False
    return app


async def _predict(request: Request) -> Response:
    front, (model, version) = _front(request), _asked_for(request)
    body = await front.body(request.receive, request.headers)
    try:
        answer = await while_there(request.receive, front.predict(model, version, body))
    finally:
        body.give_back()
    return reply(answer, front.worker, front.limits)


async def _no_examples(request: Request) -> Response:
    method = request.path_params["method"]
    if method not in ("classify", "regress"):
        raise BadRequestError(f"Malformed request: {request.method} {request.url.path}")
    raise RestError(501, f"{method} needs tf.Example protobufs, which Triton does not take")


async def _status(request: Request) -> Response:
    model, version = _asked_for(request)
    versions = await _front(request).triton.versions(model)
    return document(status_document(model, version, versions))


async def _metadata(request: Request) -> Response:
    front, (model, version) = _front(request), _asked_for(request)
    signature = await front.triton.signature(model, version)
    if not version:
        version = next((one.number for one in await front.triton.versions(model) if one.is_ready), "")
    return document(metadata_document(model, version, signature))


async def _live(request: Request) -> Response:
    return document({})


async def _ready(request: Request) -> Response:
    if not await _front(request).is_ready():
        raise RestError(503, "Triton is not ready")
    return document({})


def _front(request: Request) -> Front:
    front: Front = request.app.state.front
    return front


def _asked_for(request: Request) -> tuple[str, str]:
    """The model and the version in the path; no version where none is asked for."""
    model, version = request.path_params["model"], request.path_params.get("version", "")
    digits = version.lstrip("0") or version[:1]
    if len(digits) > _DIGITS or int(digits or 0) > _LAST_VERSION:
        shown = version if len(version) <= 64 else version[:64] + "…"
        raise BadRequestError(f"Failed to convert version: {shown} to numeric.")
    return model, digits


def _error(status: int, message: str) -> Response:
    # What clients sent may hold half a character, which no JSON can.
    return document({"error": message.encode("utf-8", "replace").decode()}, status)


async def _rest_error(request: Request, error: RestError) -> Response:
    response = _error(error.status, error.message)
    if error.retry_s is not None:
        response.headers["Retry-After"] = str(error.retry_s)
    return response


async def _no_such_path(request: Request, error: HTTPException) -> Response:
    # TensorFlow Serving calls a path of its API that it doesn't know a bad request.
    status = 400 if request.url.path.startswith("/v1/") else error.status_code
    return _error(status, f"Malformed request: {request.method} {request.url.path}")


async def _gone(request: Request, error: ClientDisconnect) -> Response:
    return _error(499, "The client went before its request was complete")


async def _failure(request: Request, error: Exception) -> Response:
    # What went wrong stands in the log, with the stack: it may name files of the server.
    return _error(500, "The front failed; its log says how")
