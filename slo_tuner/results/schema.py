"""The schema of results.json: everything that was measured, from which every summary can be made again."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from command_line.environment import Machine, Software

from ..slo.objective import Objective
from .costs import Cost
from .record import Record

Purpose = Literal["bracket", "bisect", "confirm", "single", "trace"]
Rate = Annotated[float, Field(ge=1e-9, le=1e9)]
"""Requests per second: what `--rate` takes, too."""
AT_THE_RATE: tuple[Purpose, ...] = ("confirm", "single", "trace")
"""Points of the rate that is reported, not of the search for it."""


class ServerStages(Record):
    """Mean time of a request in each stage, from Triton's counters over the same window.

    Of the GPUs, where there are any: their mean utilisation, 0 to 1, and the most memory that was used on all of them.
    """

    requests: int
    queue_ms: float
    compute_input_ms: float
    compute_infer_ms: float
    compute_output_ms: float
    batch_size: float
    gpu_utilization: float | None = None
    gpu_memory_mb: float | None = None


class Latency(Record):
    """Latency of the requests of a point in ms, from the intended send time to the answer."""

    mean_ms: float
    p50_ms: float
    p90_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float


class Disturbance(Record):
    """What the load generator's machine did beside a measurement, from before its warm-up until its last answer.

    The machine is its `cores`: the processors that slo-tuner may use, or the limit of its cgroup. Means over that time:
    `foreign_cores` were taken by other programs than the server, the load and slo-tuner, None where a server's
    processes can't be told from others; `stolen_cores` by the host of a virtual machine. `throttled_share` is the share
    of the cgroup's periods in which its own limit stopped it, None without a limit; `frequency_mhz` is None where it
    can't be read. `disturbed` says that so much was taken that the measurement shows another, smaller machine.
    """

    cores: float
    foreign_cores: float | None = None
    stolen_cores: float = 0.0
    throttled_share: float | None = None
    frequency_mhz: float | None = None
    disturbed: bool = False

    @property
    def taken_cores(self) -> float:
        """What the measurement did not have, in cores."""
        return (self.foreign_cores or 0.0) + self.stolen_cores

    def __str__(self) -> str:
        """Who took how much of the machine."""
        takers = {"other programs took": self.foreign_cores, "the host took": self.stolen_cores}
        said = [f"{who} {cores:.1f}" for who, cores in takers.items() if cores is not None and cores >= 0.05]
        return f"{' and '.join(said) or 'other programs took 0.0'} of {self.cores:g} cores"


class ServerShare(Record):
    """One of several servers that are measured as one: of the requests of a point those that were sent to it.

    `counted` is what it has counted itself, None where its metrics are not known; `p95_ms` is of its answers.
    """

    address: str
    requests: int
    errors: int
    share: float
    counted: int | None = None
    p95_ms: float | None = None


def busiest_over_mean(servers: Sequence[ServerShare]) -> float | None:
    """How much more the busiest of several servers has done than they do on average, by their own counts if known."""
    own = [server.counted for server in servers if server.counted is not None]
    done = own if len(own) == len(servers) else [server.requests for server in servers]
    return max(done) * len(done) / sum(done) if sum(done) else None


class Point(Record):
    """One open-loop measurement at one offered rate.

    `latency` and the objective's quantile are of the answered requests, None where none was answered. `server_missing`
    says why the server's stages are not known. `generator_cores` is how many cores the load took, `server_cpu_ms` the
    CPU time of a server on this machine for a request, None where it is elsewhere. `servers` are those of a target of
    several, `busiest_over_mean` how evenly they were used.
    """

    number: int
    purpose: Purpose
    rate_per_s: float
    warm_up_s: float
    duration_s: float
    due: int
    requests: int
    errors: int
    error_reasons: dict[str, int] = Field(default_factory=dict)
    misses: int
    miss_share: float
    miss_share_lower: float
    miss_share_upper: float
    kept: bool
    certain: bool
    invalid_reason: str = ""
    latency: Latency | None
    objective_quantile_ms: float | None
    send_delay_p95_ms: float
    generator_cpu_ms: float
    generator_cores: float | None = None
    server_cpu_ms: float | None = None
    server: ServerStages | None = None
    server_missing: str = ""
    servers: tuple[ServerShare, ...] = ()
    busiest_over_mean: float | None = None
    disturbance: Disturbance | None = None
    repeated: bool = False
    rows_file: str = ""

    @property
    def invalid(self) -> bool:
        """Whether the load generator, not the server, decided this point, or it was disturbed and so `repeated`."""
        return bool(self.invalid_reason) or self.repeated

    @property
    def disturbed(self) -> bool:
        """Whether so much of the machine was taken by others that it shows a smaller one."""
        return self.disturbance is not None and self.disturbance.disturbed


class SweepPoint(Record):
    """One closed-loop measurement: `concurrency` requests always in flight."""

    concurrency: int
    duration_s: float
    requests: int
    errors: int
    error_reasons: dict[str, int] = Field(default_factory=dict)
    rate_per_s: float
    latency: Latency
    generator_cpu_ms: float | None = None
    generator_cores: float | None = None
    server_cpu_ms: float | None = None
    server: ServerStages | None = None
    server_missing: str = ""
    servers: tuple[ServerShare, ...] = ()
    busiest_over_mean: float | None = None
    disturbance: Disturbance | None = None

    @property
    def disturbed(self) -> bool:
        """Whether so much of the machine was taken by others that it shows a smaller one."""
        return self.disturbance is not None and self.disturbance.disturbed


class ModelResult(Record):
    """What was found for one model: the highest rate within the objective, and every point on the way.

    Without a rate, `lowest_tried_per_s` says how far down it was searched. `failure` says why a model could not be
    measured; then nothing else of it is known. `disturbed` says how much others took of the machine while the result
    was decided, and is empty where it was quiet.
    """

    model: str
    rate_per_s: Rate | None = None
    missed_per_s: Rate | None = None
    lowest_tried_per_s: Rate | None = None
    failure: str = ""
    generator_limited: bool = False
    disturbed: str = ""
    unloaded_ms: float | None = None
    unloaded_disturbance: Disturbance | None = None
    load_s: float | None = None
    sweep: tuple[SweepPoint, ...] = ()
    points: tuple[Point, ...] = ()
    server_config: dict[str, Any] = Field(default_factory=dict)
    manifest: dict[str, Any] = Field(default_factory=dict)

    @property
    def asked(self) -> Point | None:
        """The point of the one rate, or of the trace, that was asked for (--rate, --trace): then none was searched."""
        alone = [point for point in self.points if point.purpose in ("single", "trace")]
        return alone[-1] if alone and len(alone) == len(self.points) else None

    @property
    def at_least(self) -> bool:
        """Whether the server may serve more than `rate_per_s`: the load generator set it, or it was all that was
        asked."""
        return self.generator_limited or self.asked is not None

    @property
    def unmet(self) -> str:
        """Why it has no rate: its server missed the objective, the load generator could not tell, or it failed."""
        if self.failure:
            return "not measured"
        return "invalid: the load generator lagged" if self.generator_limited else "not met"

    @property
    def confirmations(self) -> tuple[Point, ...]:
        """The repeats at the rate that was found."""
        counted = [p for p in self.points if p.purpose in AT_THE_RATE and not p.invalid]
        return tuple(p for p in counted if p.rate_per_s == self.rate_per_s)


def result_disturbed(points: Sequence[Point], rate_per_s: float | None, missed_per_s: float | None) -> str:
    """What others took of the machine while points decided a result; empty where they left it alone.

    Those are the repeats at the rate that was found, and the misses at the lowest rate above it. Of the disturbed ones
    among them, the one that most was taken from.
    """
    repeats = [p for p in points if p.purpose in AT_THE_RATE and p.rate_per_s == rate_per_s]
    misses = [p for p in points if not p.kept and p.rate_per_s == missed_per_s]
    disturbed = [p.disturbance for p in (*repeats, *misses) if p.disturbance and p.disturbed and not p.repeated]
    return str(max(disturbed, key=lambda one: one.taken_cores)) if disturbed else ""


class ServerFacts(Record):
    """The server that was measured. `machine` is None where nobody said what it runs on.

    `machine_from` says how it is known: `local` (a process of this machine), `asked` (--machine), or `unknown`.
    """

    name: str = ""
    version: str = ""
    address: str = ""
    machine: Machine | None = None
    machine_name: str = ""
    machine_from: Literal["local", "asked", "unknown"] = "unknown"

    def __str__(self) -> str:
        """The machine in a few words."""
        return self.machine_name or (str(self.machine) if self.machine is not None else "an unknown machine")


class ClientAccess(Record):
    """How the load reached a server that guards itself: names alone, no value of a header and no token.

    `retries` says that gRPC's retry policy was followed: a request counts as failed when its last attempt has.
    """

    tls: bool = False
    client_certificate: bool = False
    token: bool = False
    headers: tuple[str, ...] = ()
    server_name: str = ""
    retries: bool = False

    def __str__(self) -> str:
        """In a few words; empty for nothing of it."""
        said = {
            "TLS": self.tls,
            "a client certificate": self.client_certificate,
            "a token": self.token,
            f"headers {', '.join(self.headers)}": bool(self.headers),
            "requests sent again by gRPC's retry policy": self.retries,
        }
        return ", ".join(text for text, is_so in said.items() if is_so)


class RunHeader(Record):
    """What every run says of itself: when, by which command and software, from which machine, against which server.

    `proxy` is the one that the load goes through, as host:port; empty: none.
    """

    created: str
    title: str
    command: str
    protocol: str
    software: Software
    client: Machine
    load_workers: int = 1
    proxy: str = ""
    access: ClientAccess = Field(default_factory=ClientAccess)
    server: ServerFacts


class Spread(Record):
    """How much something differs between requests."""

    least: float
    median: float
    most: float

    def __str__(self) -> str:
        """In a few words."""
        if self.least == self.most:
            return f"{self.least:.4g}"
        return f"{self.least:.4g} to {self.most:.4g}, median {self.median:.4g}"


class RequestsSent(Record):
    """The requests of one model: `rows` of `source`, sent in turn, of so many `megabytes`.

    `sizes` are those of inputs that differ between rows: how many numbers, of texts how many bytes.
    """

    source: str
    rows: int
    megabytes: Spread
    sizes: dict[str, Spread] = Field(default_factory=dict)

    def __str__(self) -> str:
        """In one line."""
        sizes = ", ".join(f"{name} {size}" for name, size in self.sizes.items())
        return f"{self.rows} rows of {self.source} in turn{sizes and '; sizes: '}{sizes}"


class Results(Record):
    """One run of the tuner: of `measure` or `ladder` as it stands, of the other commands with more fields."""

    schema_version: Literal[2] = 2
    kind: Literal["ladder", "sweep", "tiers", "tuning", "fleet"] = "ladder"
    run: RunHeader
    objective: Objective
    objective_source: str
    request_megabytes: dict[str, float]
    requests: dict[str, RequestsSent] = Field(default_factory=dict)
    models: tuple[ModelResult, ...]
    complete: bool = True
    wall_s: float = 0.0
    cost: Cost | None = None
