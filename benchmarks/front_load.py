"""The REST front at twice what it can do: what becomes of the requests, of its readiness and of its memory.

    python benchmarks/front_load.py --address localhost:8888 --model resnet50 --body request.json --pid PID

First 1 to 16 clients find the capacity; then 64 with connections that stay open offer twice as much, each at its own
pace. The front runs on this machine, and so do the clients: on a machine with other work the numbers mean little.
"""

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

REFUSED_CLEANLY = (429, 503)
_FINDERS = (1, 2, 4, 8, 16)
_ANSWER_S = 60.0
_PROBE_EVERY_S = 0.25


@dataclass
class Outcome:
    """What became of a load; `failures` are requests without an answer, `probes` the statuses of readiness."""

    capacity_per_s: float
    offered_per_s: float
    seconds: float
    statuses: Counter[int] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    probes: Counter[str] = field(default_factory=Counter)
    slowest_probe_s: float = 0.0
    p95_ms: float = 0.0
    peak_mb: float = 0.0

    @property
    def unclean(self) -> int:
        """Requests that were neither answered nor refused as overload is."""
        known = sum(self.statuses[status] for status in (200, *REFUSED_CLEANLY))
        return self.statuses.total() - known + self.failures.total()


class Connection:
    """One connection that stays open, as far as the server lets it."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> int:
        """The status of the answer, once it is here as a whole."""
        try:
            async with asyncio.timeout(_ANSWER_S):
                if self._streams is None:
                    self._streams = await asyncio.open_connection(self._host, self._port)
                reader, writer = self._streams
                writer.write(request)
                await writer.drain()
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                await _skip_body(reader, head)
        except BaseException:
            self.close()
            raise
        if b"connection: close" in head:
            self.close()
        return int(head.split(None, 2)[1])

    def close(self) -> None:
        """Close it; the next request opens another."""
        if self._streams:
            self._streams[1].close()
            self._streams = None


async def _skip_body(reader: asyncio.StreamReader, head: bytes) -> None:
    if b"transfer-encoding: chunked" in head:
        while size := int(await reader.readline(), 16):
            await reader.readexactly(size + 2)
        await reader.readline()
    else:
        await reader.readexactly(int(head.partition(b"content-length:")[2].split(None, 1)[0]))


async def put_under_load(
    address: str, model: str, body: bytes, clients: int = 64, seconds: float = 60.0, pid: int = 0
) -> Outcome:
    """Find the capacity within a fourth of `seconds`, then offer twice as much for that long."""
    host, _, port = address.rpartition(":")
    where = host.strip("[]"), int(port)
    head = f"POST /v1/models/{model}:predict HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n\r\n"
    request = head.encode() + body
    capacity = await _capacity(where, request, seconds / 4)
    outcome = Outcome(capacity, 2 * capacity, seconds)
    end, times = time.monotonic() + seconds, list[float]()
    watching = asyncio.create_task(_watch(where, pid, outcome, end))
    pace_s = clients / outcome.offered_per_s
    await asyncio.gather(*(_client(where, request, pace_s, n / clients, end, outcome, times) for n in range(clients)))
    await watching
    outcome.p95_ms = 1000 * sorted(times)[int(0.95 * len(times))] if times else 0.0
    return outcome


async def _capacity(where: tuple[str, int], request: bytes, seconds: float) -> float:
    """The most answered requests per second to clients that send the next as soon as they have an answer: to 1, 2, 4 …
    clients until one is refused, for a server that refuses may answer fewer than it could."""
    best = 0.0
    for count in _FINDERS:
        statuses = await _closed_loop(where, request, count, seconds / len(_FINDERS))
        best = max(best, statuses[200] / (seconds / len(_FINDERS)))
        if set(statuses) != {200}:
            break
    if not best:
        raise SystemExit("front_load: no request was answered with 200")
    return best


async def _closed_loop(where: tuple[str, int], request: bytes, count: int, seconds: float) -> Counter[int]:
    """The statuses of what so many clients ask."""
    end, statuses = time.monotonic() + seconds, Counter[int]()

    async def one() -> None:
        connection = Connection(*where)
        while time.monotonic() < end:
            statuses[await connection.ask(request)] += 1
        connection.close()

    await asyncio.gather(*(one() for _ in range(count)))
    return statuses


async def _client(
    where: tuple[str, int],
    request: bytes,
    pace_s: float,
    start: float,
    end: float,
    outcome: Outcome,
    times: list[float],
) -> None:
    connection, due = Connection(*where), time.monotonic() + start * pace_s
    while due < end and time.monotonic() < end:
        await asyncio.sleep(due - time.monotonic())
        due, began = due + pace_s, time.monotonic()
        try:
            status = await connection.ask(request)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError) as error:
            outcome.failures[type(error).__name__] += 1
            continue
        outcome.statuses[status] += 1
        if status == 200:
            times.append(time.monotonic() - began)
    connection.close()


async def _watch(where: tuple[str, int], pid: int, outcome: Outcome, end: float) -> None:
    """Ask for readiness as the kubelet does, each time by a new connection; look at the memory."""
    request = b"GET /v2/health/ready HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n"
    while time.monotonic() < end:
        began = time.monotonic()
        try:
            outcome.probes[str(await Connection(*where).ask(request))] += 1
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            outcome.probes[type(error).__name__] += 1
        outcome.slowest_probe_s = max(outcome.slowest_probe_s, time.monotonic() - began)
        if pid:
            outcome.peak_mb = max(outcome.peak_mb, peak_mb(pid))
        await asyncio.sleep(_PROBE_EVERY_S)


def peak_mb(pid: int) -> float:
    """The most memory that a process had so far, in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the outcome as JSON; 1 when a request failed or was refused otherwise than overload is."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--address", default="localhost:8888", help="HOST:PORT of the front")
    parser.add_argument("--model", required=True)
    parser.add_argument("--body", type=Path, required=True, help="file with the JSON of one request")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--pid", type=int, default=0, help="the front's process, to look at its memory")
    chosen = parser.parse_args(arguments)
    body = chosen.body.read_bytes()
    load = put_under_load(chosen.address, chosen.model, body, chosen.clients, chosen.seconds, chosen.pid)
    outcome = asyncio.run(load)
    print(json.dumps(vars(outcome), indent=2))
    return 1 if outcome.unclean else 0


if __name__ == "__main__":
    sys.exit(main())
