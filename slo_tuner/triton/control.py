"""The control side of a Triton server: is it there, which models has it, load one, unload it, its configuration."""

import time
from typing import Any

import gevent
import tritonclient.grpc as triton
from google.protobuf.json_format import MessageToDict, MessageToJson
from tritonclient.grpc import model_config_pb2, service_pb2
from tritonclient.utils import InferenceServerException

from command_line.arguments import bare_address
from command_line.errors import ModelError, ServerError
from command_line.proxy import channel_options, proxy_for

from ..access.addresses import host_of, is_tls
from ..access.client_access import Access
from ..access.diagnosis import diagnosis
from ..access.grpc_channel import access_options, channel_credentials
from ..access.reasons import refusal
from .server_process import TritonProcess

_CALL_S = 10.0
# Folders that file systems and tools leave in a repository.
_NO_MODELS = ("lost+found", "__pycache__")
# What the index says of a version that holds no memory; a version that was never loaded has no state.
_GONE = ("", "UNAVAILABLE")


class Control:
    """Talks to one server over gRPC. Every failure is a ServerError or ModelError with one line."""

    def __init__(
        self,
        address: str,
        process: TritonProcess | None = None,
        proxy: bool = False,
        access: Access | None = None,
        server_name: str = "",
    ) -> None:
        """Connect to `address`; `proxy`: through the environment's proxy, also to near addresses.

        With TLS the server's certificate has to be for `server_name`, or for the address where that is empty.
        """
        self.address, self._access = address, access or Access()
        self._process, self._name = process, server_name or host_of(address)
        self._proxied = bool(proxy_for(address, proxy))
        options: list[tuple[str, str | int]] = [
            ("grpc.max_send_message_length", -1),
            ("grpc.max_receive_message_length", -1),
        ]
        options += [*channel_options(address, proxy), *access_options(address, self._access, self._name)]
        target = bare_address(address) if is_tls(address) else address
        credentials = channel_credentials(address, self._access)
        self._client = triton.InferenceServerClient(target, creds=credentials, channel_args=options)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()
        # Its destructor would close it once more. gRPC counts channels that are closed, and when that comes to none as
        # the interpreter ends, waits for greenlets that can't run any more.
        self._client.close = lambda: None

    def check_reachable(self, deadline_s: float = 5.0) -> None:
        """ServerError unless a server answers within the deadline."""
        end = time.monotonic() + deadline_s
        # gRPC writes lines of its own to the terminal about certificates that are wrong: it never meets one.
        if is_tls(self.address) and not self._proxied and (reason := self._diagnosis()):
            raise ServerError(f"no Triton server answers gRPC at {self.address}: {reason}")
        while True:
            try:
                if self._client.is_server_live(self._fields(), client_timeout=min(2.0, deadline_s)):
                    return
                reason = "it is not live"
            except InferenceServerException as error:
                reason = str(error.message())
                # No patience helps against a wrong certificate or token.
                final = self._refusal(error) or self._diagnosis()
                if final:
                    raise ServerError(f"no Triton server answers gRPC at {self.address}: {final}") from None
            if time.monotonic() > end:
                raise ServerError(f"no Triton server answers gRPC at {self.address}: {reason}")
            gevent.sleep(0.3)

    def _diagnosis(self) -> str:
        return diagnosis(self.address, self._name, self._access)

    def _fields(self) -> dict[str, str]:
        """The headers of a request; read anew for each, as a token may be renewed."""
        return dict(self._access.fields())

    def _refusal(self, error: InferenceServerException) -> str:
        """What is wrong with who asked, if that is it."""
        status = str(error.status() or "").removeprefix("StatusCode.")
        return refusal(f"{status}: {error.message()}", self._access)

    def check_alive(self) -> None:
        """ServerError when the server is a process of ours and has ended."""
        if self._process is not None:
            self._process.check()

    def server(self) -> dict[str, Any]:
        """Name, version and extensions of the server."""
        return dict(MessageToDict(self._call(self._client.get_server_metadata), preserving_proto_field_name=True))

    def models(self) -> list[str]:
        """The models in the server's repository, in its order, each once whatever versions it has.

        Triton lists every folder; those that no model can be in are left out.
        """
        names = dict.fromkeys(model.name for model in self._index())
        return [name for name in names if not name.startswith(".") and name not in _NO_MODELS]

    def is_ready(self, model: str) -> bool:
        """Whether the model is loaded and ready."""
        return bool(self._call(self._client.is_model_ready, model))

    def check_explicit(self) -> None:
        """ServerError unless models can be loaded and unloaded by request. Nothing on the server changes."""
        reason = self._try_load("slo-tuner/asks-whether-models-can-be-loaded", _CALL_S, None)
        if "explicit model load" in reason:
            raise ServerError(
                f"the server at {self.address} does not load models by request: "
                "start it with --model-control-mode=explicit and --load-model for each model"
            )

    def load(self, model: str, deadline_s: float, config: model_config_pb2.ModelConfig | None = None) -> float:
        """Load a model and wait until it is ready; the seconds that it took.

        With `config`, which must be complete, the model is served with it in place of its config.pbtxt until it is
        unloaded. A model that is served already goes on until the new one is ready, and also when that fails.
        """
        started = time.monotonic()
        names = self.models()
        if model not in names:
            raise ModelError(f"model: {model!r} is not in the repository; it has {', '.join(names) or 'no model'}")
        loading = gevent.spawn(self._try_load, model, deadline_s, config)
        try:
            while not loading.ready():
                # A server that dies leaves the call waiting for a reconnection: look at the process too.
                loading.join(0.5)
                self.check_alive()
        except KeyboardInterrupt:
            # Otherwise a server that goes on would end a load later that nobody expects any more.
            if self._process is None:
                loading.join(deadline_s)
            raise
        reason = loading.get()
        if reason:
            raise ModelError(f"model {model!r} cannot be loaded: {reason}{self._log()}")
        while not self.is_ready(model):
            if time.monotonic() - started > deadline_s:
                raise ModelError(f"model {model!r} was not ready after {deadline_s:g} s{self._log()}")
            gevent.sleep(0.1)
        return time.monotonic() - started

    def _try_load(self, model: str, deadline_s: float, config: model_config_pb2.ModelConfig | None) -> str:
        """Why the model could not be loaded, in one line; empty when it was."""
        override = MessageToJson(config, preserving_proto_field_name=True) if config is not None else None
        try:
            self._client.load_model(model, self._fields(), config=override, client_timeout=deadline_s)
        except InferenceServerException as error:
            if refused := self._refusal(error):
                return refused
            # A Python traceback follows the reason, after "At:".
            return " ".join(str(error.message()).split("\nAt:")[0].split())[:400]
        return ""

    def unload(self, model: str, deadline_s: float = 60.0) -> None:
        """Unload a model and wait until the server has let go of it."""
        self._call(self._client.unload_model, model)
        end = time.monotonic() + deadline_s
        while any(m.name == model and m.state not in _GONE for m in self._index()):
            if time.monotonic() > end:
                raise ServerError(f"model {model!r} was not unloaded after {deadline_s:g} s")
            gevent.sleep(0.1)

    def metadata(self, model: str) -> service_pb2.ModelMetadataResponse:
        """Names, types and shapes of a model's inputs and outputs."""
        return self._call(self._client.get_model_metadata, model)

    def config(self, model: str) -> model_config_pb2.ModelConfig:
        """The configuration that the server uses for the model."""
        return self._call(self._client.get_model_config, model).config

    def _index(self) -> Any:
        return self._call(self._client.get_model_repository_index).models

    def _call(self, method: Any, *arguments: object) -> Any:
        try:
            return method(*arguments, headers=self._fields(), client_timeout=_CALL_S)
        except InferenceServerException as error:
            self.check_alive()
            if refused := self._refusal(error):
                raise ServerError(f"the server at {self.address}: {refused}") from None
            message = " ".join(str(error.message()).split())[:400]
            if "not found" in message or "unknown model" in message:
                raise ModelError(message) from None
            raise ServerError(f"the server at {self.address} refused or did not answer: {message}") from None

    def _log(self) -> str:
        return f" (log: {self._process.log})" if self._process is not None else ""
