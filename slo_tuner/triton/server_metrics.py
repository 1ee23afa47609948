"""What the server itself counted during a measurement: the differences of Triton's metrics over the window."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any
from urllib.parse import urlsplit

import gevent
import urllib3
from prometheus_client.parser import text_string_to_metric_families
from tritonclient.grpc.model_config_pb2 import ModelConfig

from command_line.errors import ServerError
from triton_contract import metrics as names

from ..access.addresses import may_show
from ..access.client_access import Access
from ..access.reasons import refusal, tls_reason
from ..access.tls import make_context
from ..results.schema import ServerStages
from .nvml import GpuSample, Nvml

_LOOK_S = 0.5
_ANSWER_S = 3.0


@dataclass(frozen=True)
class Counters:
    """Triton's counters of one model at one moment: requests, executions and microseconds."""

    requests: float = 0.0
    items: float = 0.0
    executions: float = 0.0
    queue_us: float = 0.0
    input_us: float = 0.0
    infer_us: float = 0.0
    output_us: float = 0.0

    def __add__(self, other: "Counters") -> "Counters":
        """The counters of two servers as those of one."""
        return Counters(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))

    def __sub__(self, earlier: "Counters") -> "Counters":
        """What was counted since."""
        return Counters(*(now - then for now, then in zip(astuple(self), astuple(earlier), strict=True)))


_FIELDS = {
    names.REQUEST_SUCCESS: "requests",
    names.INFERENCE_COUNT: "items",
    names.EXEC_COUNT: "executions",
    names.QUEUE_DURATION: "queue_us",
    names.COMPUTE_INPUT_DURATION: "input_us",
    names.COMPUTE_INFER_DURATION: "infer_us",
    names.COMPUTE_OUTPUT_DURATION: "output_us",
}


def counted_as(config: ModelConfig) -> str:
    """The model whose counters explain requests to the model of `config`.

    An alias is an ensemble of one step: it has neither a queue nor batches, so its variant's counters tell more.
    """
    steps = config.ensemble_scheduling.step
    return str(steps[0].model_name if len(steps) == 1 else config.name)


class MetricsEndpoint:
    """Reads Triton's `/metrics`; asks `gpus` where the server's are this machine's: Triton itself needs DCGM for it."""

    def __init__(self, url: str, gpus: Nvml | None = None, access: Access | None = None, server_name: str = "") -> None:
        """Behind TLS the certificate has to be for `server_name`, or for the URL's host where that is empty."""
        self.url, self._gpus, self._access = url, gpus, access or Access()
        self._name = server_name or urlsplit(url).hostname or ""
        tls: dict[str, Any] = {}
        if url.startswith("https://"):
            tls = {"ssl_context": make_context(self._access), "server_hostname": self._name}
        self._http = urllib3.PoolManager(timeout=_ANSWER_S, retries=1, **tls)

    @property
    def parts(self) -> "tuple[MetricsEndpoint, ...]":
        """Those of each server."""
        return (self,)

    def _samples(self) -> list[tuple[str, dict[str, str], float]]:
        too_late = gevent.Timeout(_ANSWER_S)
        try:
            # However slowly an answer comes in: a point waits for it.
            with too_late:
                # Headers and token are for the server behind TLS, or near: what else scrapes metrics sends none.
                shown = dict(self._access.fields()) if may_show(self._access, self.url) else None
                answer = self._http.request("GET", self.url, headers=shown)
        except gevent.Timeout as passed:
            if passed is not too_late:
                raise
            raise ServerError(f"metrics at {self.url} cannot be read: no answer within {_ANSWER_S:g} s") from None
        except urllib3.exceptions.HTTPError as error:
            # Its reason begins with the object that failed.
            cause = getattr(error, "reason", error)
            reason = str(cause).rpartition(">: ")[2]
            if isinstance(cause, urllib3.exceptions.SSLError) and isinstance(cause.args[0], OSError):
                reason = tls_reason(cause.args[0], self._name, self._access)
            raise ServerError(f"metrics at {self.url} cannot be read: {reason}") from None
        if answer.status != 200:
            refused = refusal(f"HTTP {answer.status}", self._access)
            why = f"the answer is {answer.status} {answer.reason}{refused and f': {refused}'}"
            raise ServerError(f"metrics at {self.url} cannot be read: {why}")
        try:
            return [
                (sample.name, sample.labels, sample.value)
                for family in text_string_to_metric_families(answer.data.decode())
                for sample in family.samples
            ]
        except ValueError as error:
            raise ServerError(f"metrics at {self.url} cannot be read: {' '.join(str(error).split())[:200]}") from None

    def check(self) -> None:
        """ServerError unless they can be read."""
        self._samples()

    def counters(self, model: str) -> Counters:
        """The counters of `model`, summed over its versions; zeros for a model that has served nothing yet."""
        sums = dict.fromkeys(_FIELDS.values(), 0.0)
        for name, labels, value in self._samples():
            # The parser gives counters their OpenMetrics name, which ends in _total.
            field = _FIELDS.get(name) or _FIELDS.get(name.removesuffix("_total"))
            if field and labels.get("model") == model:
                sums[field] += value
        return Counters(**sums)

    def gpu(self) -> GpuSample | None:
        """How busy and how full the GPUs are; None where nobody says."""
        if self._gpus:
            return self._gpus.sample()
        samples = self._samples()
        busy = [value for name, _, value in samples if name == names.GPU_UTILIZATION]
        used = [value for name, _, value in samples if name == names.GPU_MEMORY_USED]
        return GpuSample(sum(busy) / len(busy), sum(used)) if busy else None


class MetricsGroup:
    """The metrics of several servers that are measured as one, in their order."""

    def __init__(self, parts: Sequence[MetricsEndpoint]) -> None:
        self.parts = tuple(parts)

    def check(self) -> None:
        """ServerError unless those of each server can be read."""
        for part in self.parts:
            part.check()

    def gpu(self) -> GpuSample | None:
        """How busy the GPUs of all servers are on average, and the memory used on all; None where nobody says."""
        looks = [look for part in self.parts if (look := part.gpu()) is not None]
        if not looks:
            return None
        return GpuSample(sum(look.utilization for look in looks) / len(looks), sum(look.memory_bytes for look in looks))


Metrics = MetricsEndpoint | MetricsGroup


class Window:
    """Watches one model from its creation until `stages()`: counters at both ends, the GPUs every half second.

    Of several servers the counters are summed; `counted` has the requests of each, in their order, after `stages()`. A
    server that does not tell costs the stages, never the measurement: `missing` says why there are none.
    """

    def __init__(self, endpoint: Metrics | None, model: str) -> None:
        self._endpoint, self._model, self.missing = endpoint, model, ""
        self.counted: tuple[int, ...] = ()
        self._gpu: list[GpuSample] = []
        self._before, has_gpu = list[Counters](), False
        if endpoint is not None:
            try:
                self._before, has_gpu = self._counters(endpoint), endpoint.gpu() is not None
            except ServerError as error:
                self.missing = str(error)
        self._sampler = gevent.spawn(self._sample) if has_gpu else None

    def _counters(self, endpoint: Metrics) -> list[Counters]:
        return [part.counters(self._model) for part in endpoint.parts]

    def _sample(self) -> None:
        assert self._endpoint is not None
        while True:
            gevent.sleep(_LOOK_S)
            try:
                value = self._endpoint.gpu()
            except ServerError:
                continue  # one look less; the counters at the end say whether the server still tells
            if value is not None:
                self._gpu.append(value)

    def close(self) -> None:
        """Stop sampling."""
        if self._sampler is not None:
            self._sampler.kill()

    def stages(self) -> ServerStages | None:
        """Where a request spent its time on average; None without a metrics endpoint, an answer, or a request."""
        self.close()
        if self._endpoint is None or self.missing:
            return None
        try:
            after = self._counters(self._endpoint)
        except ServerError as error:
            self.missing = str(error)
            return None
        each = [now - then for now, then in zip(after, self._before, strict=True)]
        self.counted = tuple(int(one.requests) for one in each)
        total = sum(each, start=Counters())
        requests, executions = total.requests, total.executions
        if requests <= 0 or executions <= 0:
            return None
        return ServerStages(
            requests=int(requests),
            queue_ms=total.queue_us / requests / 1000,
            compute_input_ms=total.input_us / requests / 1000,
            compute_infer_ms=total.infer_us / requests / 1000,
            compute_output_ms=total.output_us / requests / 1000,
            batch_size=total.items / executions,
            gpu_utilization=sum(look.utilization for look in self._gpu) / len(self._gpu) if self._gpu else None,
            gpu_memory_mb=max(look.memory_bytes for look in self._gpu) / 1e6 if self._gpu else None,
        )
