"""The loop that sends: whose turn it is, what a stop and an abort leave, and what is known when."""

import time

import pytest

from slo_tuner.load.request_outcome import RequestOutcome
from slo_tuner.load.wire.connection import Poller
from slo_tuner.load.wire.exchange import Exchange
from slo_tuner.load.wire.sender import Order, Sender


class Answering:
    """A server that answers at once, or only when it is told to."""

    def __init__(self, name: str, sent: list[str], failure: str | None = "") -> None:
        self._name, self._sent, self._failure = name, sent, failure
        self.canceled = 0
        self.sender: Sender[str]

    def send(self, exchange: Exchange[str]) -> None:
        self._sent.append(f"{exchange.content}{self._name}")
        if self._failure is None:
            exchange.link = self
        else:
            self.sender.ended(exchange, self._failure)

    def cancel(self, exchange: Exchange[str]) -> None:
        self.canceled += 1

    def close(self) -> None:
        """Nothing to close."""


def test_what_was_unavailable_is_sent_again_three_times_in_all_where_retries_are_asked_for() -> None:
    sent: list[str] = []
    sender = _sender("x", Answering("a", sent, "UNAVAILABLE: gone"))
    sender.retry()
    order = Order(time.perf_counter(), [0.0])
    sender.work(order)
    assert sent == ["xa"] * 3 and [row[3] for row in order.rows] == [RequestOutcome.FAILED]
    assert order.rows[0][2] >= 0.05 * 0.8 + 0.1 * 0.8 and len(order.failures) == 1


@pytest.mark.parametrize("failure", ["INTERNAL: broken", "RESOURCE_EXHAUSTED: full", "HTTP 503: busy"])
def test_other_failures_are_not_sent_again(failure: str) -> None:
    sent: list[str] = []
    sender = _sender("x", Answering("a", sent, failure))
    sender.retry()
    sender.work(Order(time.perf_counter(), [0.0]))
    assert sent == ["xa"]


def test_nothing_is_sent_again_unasked_or_after_its_time_is_over() -> None:
    sent: list[str] = []
    sender = _sender("x", Answering("a", sent, "UNAVAILABLE: gone"))
    sender.work(Order(time.perf_counter(), [0.0]))
    assert sent == ["xa"]
    hurried = _sender("x", Answering("a", sent, "UNAVAILABLE: gone"), timeout_s=0.02)
    hurried.retry()
    hurried.work(Order(time.perf_counter(), [0.0]))
    assert sent == ["xa"] * 2


def _sender(contents: str, *channels: Answering, first: int = 0, timeout_s: float = 5.0) -> Sender[str]:
    sender: Sender[str] = Sender(Poller(), [contents for _ in channels], timeout_s, first)
    for channel in channels:
        channel.sender = sender
    sender.connect(channels)
    return sender


@pytest.mark.parametrize(
    ("contents", "first", "expected"),
    [
        ("x", 0, "xa xb xa xb xa xb"),
        ("xy", 0, "xa yb xb ya xa yb"),
        ("xy", 1, "yb xb ya xa yb xb"),
        ("xyz", 0, "xa yb za xb ya zb"),
    ],
)
def test_requests_take_turns_and_so_do_servers(contents: str, first: int, expected: str) -> None:
    sent: list[str] = []
    sender = _sender(contents, Answering("a", sent), Answering("b", sent), first=first)
    order = Order(time.perf_counter(), [0.0] * 6)
    sender.work(order)
    assert " ".join(sent) == expected
    assert [row[4] for row in order.rows] == [float("ab".index(name[1])) for name in sent]


def test_rows_tell_when_each_request_was_due_and_that_all_is_known_in_the_end() -> None:
    sender = _sender("x", Answering("a", []))
    order = Order(time.perf_counter(), [0.0, 0.01, 0.02])
    sender.work(order)
    assert [row[0] for row in order.rows] == [0.0, 0.01, 0.02]
    assert all(due <= sent <= done for due, sent, done, *_ in order.rows)
    assert order.complete_until_s == float("inf") and not order.failures


def test_a_failure_keeps_its_reason_and_when_it_was_due() -> None:
    sender = _sender("x", Answering("a", [], "UNAVAILABLE: Exceeds maximum queue size"))
    order = Order(time.perf_counter(), [0.0, 0.01])
    sender.work(order)
    assert order.failures == [("UNAVAILABLE: Exceeds maximum queue size", due) for due in (0.0, 0.01)]
    assert {row[3] for row in order.rows} == {float(RequestOutcome.SHED)}


def test_a_stopped_schedule_sends_nothing_more() -> None:
    sent: list[str] = []
    sender = _sender("x", Answering("a", sent))
    order = Order(time.perf_counter(), [0.0, 3600.0])
    order.stopping = True
    sender.work(order)
    assert len(order.rows) == len(sent) <= 1


def test_an_aborted_run_gives_up_what_is_under_way_and_counts_it_nowhere() -> None:
    silent = Answering("a", [], None)
    sender = _sender("x", silent)
    order = Order(time.perf_counter() - 1.0, [0.0, 0.0])
    order.aborting = True
    sender.work(order)
    assert order.rows == [] and order.failures == []
    order = Order(time.perf_counter(), users=20)
    closed = sender._replace  # all users begin before an answer is looked for

    def abort_after(now: float, begun: float) -> float:
        until = closed(now, begun)
        order.aborting = True
        return until

    sender._replace = abort_after  # type: ignore[method-assign]
    sender.work(order)
    assert silent.canceled == 20 and order.rows == []


def test_what_takes_longer_than_its_time_out_has_failed_and_is_cancelled() -> None:
    silent = Answering("a", [], None)
    sender = _sender("x", silent, timeout_s=0.05)
    order = Order(time.perf_counter(), [0.0, 0.0])
    sender.work(order)
    assert silent.canceled == 2
    assert order.failures == [("DEADLINE_EXCEEDED: timed out after 0.05 s", 0.0)] * 2
    assert all(row[2] >= 0.05 for row in order.rows)
