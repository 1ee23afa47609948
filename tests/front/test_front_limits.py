"""One client can't take what others need: places, memory, the model's queue, or the time of a body that never comes."""

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from asgi import Client, client, sent, until

from tfserving_front.budget import Budget
from tfserving_front.errors import RestError
from tfserving_front.limits import Limits

PREDICT = "/v1/models/one:predict"
ONE_ROW = {"instances": [1.0]}


def with_front(work: Callable[[Client], Awaitable[None]], **limits: Any) -> None:
    """Run `work` with a front that has these limits."""

    async def run() -> None:
        async with client(Limits(**limits)) as one:
            await work(one)

    asyncio.run(run())


def test_bodies_that_never_come_hold_up_nobody() -> None:
    async def work(one: Client) -> None:
        silent: list[asyncio.Queue[dict[str, Any]]] = [asyncio.Queue() for _ in range(16)]
        for queue in silent:
            queue.put_nowait(sent(b"{"))
        held = [asyncio.create_task(one.ask(PREDICT, parts=queue)) for queue in silent]
        await until(lambda: all(queue.empty() for queue in silent))
        assert (await one.ask(PREDICT, ONE_ROW)).json == {"predictions": [2.0]}
        assert (await one.ask("/v2/health/ready")).status == 200
        for reply in await asyncio.gather(*held):
            assert (reply.status, reply.json) == (408, {"error": "Nothing of the request came for 0.5 s"})

    with_front(work, in_flight=1, stall_s=0.5)


def test_a_body_that_dribbles_ends_with_its_time() -> None:
    async def work(one: Client) -> None:
        parts: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        asked = asyncio.create_task(one.ask(PREDICT, parts=parts))
        while not asked.done():
            parts.put_nowait(sent(b" "))
            await asyncio.sleep(0.05)
        assert asked.result().status == 408

    with_front(work, timeout_s=0.5)


def test_a_large_body_that_is_slow_gives_way_to_one_that_waits() -> None:
    async def work(one: Client) -> None:
        slow: list[asyncio.Queue[dict[str, Any]]] = [asyncio.Queue() for _ in range(4)]
        length = [(b"content-length", b"1000000")]
        held = [asyncio.create_task(one.ask(PREDICT, headers=length, parts=queue)) for queue in slow]
        for queue in slow:
            queue.put_nowait(sent(b" " * 70_000))
        await until(lambda: one.front._bodies._free == 0)
        body = b'{"instances": [1.0]}' + b" " * 999_000
        reply = await one.ask(PREDICT, body, headers=[(b"content-length", str(len(body)).encode())])
        assert reply.json == {"predictions": [2.0]}
        (cut,) = [asked for asked in held if asked.done()]
        assert cut.result().json == {"error": "The request came slower than 100000 bytes/s while others waited"}
        for queue in slow:
            queue.put_nowait({"type": "http.disconnect"})
        await asyncio.gather(*held)

    with_front(work, request_bytes=1_000_000)


def test_what_a_client_held_is_free_when_it_leaves() -> None:
    async def work(one: Client) -> None:
        parts: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        parts.put_nowait(sent(b'{"instances": [1.0]}' + b" " * 70_000, more=False))
        asked = asyncio.create_task(one.ask("/v1/models/stuck:predict", parts=parts))
        await until(lambda: one.triton.now["stuck"] == 1)
        parts.put_nowait({"type": "http.disconnect"})
        assert (await asked).status == 499
        await until(lambda: one.triton.cancelled == 1)
        assert not any(budget.is_held for budget in _budgets(one))
        assert (await one.ask(PREDICT, ONE_ROW)).status == 200

    with_front(work, in_flight=1)


def _budgets(one: Client) -> list[Budget]:
    return [value for value in vars(one.front).values() if isinstance(value, Budget)]


def test_a_request_too_many_is_refused_at_once_and_told_when_to_come_again() -> None:
    async def work(one: Client) -> None:
        held = [asyncio.create_task(one.ask("/v1/models/stuck:predict", ONE_ROW)) for _ in range(5)]
        await until(lambda: len(one.front.places._queue) == 4)
        reply = await one.ask(PREDICT, ONE_ROW)
        assert (reply.status, reply.headers["retry-after"]) == (503, "1")
        assert reply.json == {"error": "All 1 places are taken, and 4 requests wait already"}
        one.triton.release.set()
        assert [(await asked).status for asked in held] == [200] * 5

    with_front(work, in_flight=1)


def test_an_answer_that_does_not_come_ends_the_request_and_gives_its_place_back() -> None:
    async def work(one: Client) -> None:
        assert (await one.ask("/v1/models/stuck:predict", ONE_ROW)).status == 504
        assert (await one.ask(PREDICT, ONE_ROW)).status == 200

    with_front(work, in_flight=1, timeout_s=0.4)


def test_readiness_says_when_nobody_gets_a_place_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tfserving_front.front._STUCK_S", 0.2)

    async def work(one: Client) -> None:
        held = [asyncio.create_task(one.ask("/v1/models/stuck:predict", ONE_ROW)) for _ in range(2)]
        await until(lambda: one.front.places.waited_s > 0.2)
        assert (await one.ask("/v2/health/ready")).status == 503
        assert (await one.ask("/v2/health/live")).status == 200
        one.triton.release.set()
        await asyncio.gather(*held)
        assert (await one.ask("/v2/health/ready")).status == 200

    with_front(work, in_flight=1)


def test_the_parts_of_a_batch_fit_into_the_model_s_queue() -> None:
    async def work(one: Client) -> None:
        rows = [float(row) for row in range(400)]
        replies = await asyncio.gather(*(one.ask("/v1/models/queue:predict", {"instances": rows}) for _ in range(3)))
        for reply in replies:
            assert reply.json == {"predictions": [2 * row for row in rows]}
        assert one.triton.asked["queue"] == 3 * 200  # none was refused and sent again
        assert 1 < one.triton.most["queue"] <= 4

    with_front(work)


def test_the_first_failure_of_a_part_is_the_answer_and_stops_the_others() -> None:
    async def work(one: Client) -> None:
        reply = await one.ask("/v1/models/failing:predict", {"instances": [1.0] * 4000})
        assert (reply.status, reply.json) == (500, {"error": "boom"})
        assert one.triton.asked["failing"] < 100

    with_front(work)


def test_an_answer_whose_size_is_known_is_refused_before_the_model_works() -> None:
    async def work(one: Client) -> None:
        reply = await one.ask("/v1/models/wide:predict", {"instances": [1.0, 2.0, 3.0]})
        assert (reply.status, "The answer has 12000000 bytes of tensors" in reply.json["error"]) == (400, True)
        assert one.triton.asked["wide"] == 0

    with_front(work, answer_bytes=10_000_000)


def test_an_answer_whose_size_is_open_is_refused_when_it_comes() -> None:
    async def work(one: Client) -> None:
        reply = await one.ask("/v1/models/open:predict", {"instances": [300_000]})
        assert reply.status == 400 and "more than the 1000000 allowed" in reply.json["error"]
        reply = await one.ask("/v1/models/open:predict", {"instances": [200_000]})
        assert reply.json == {"predictions": [[0.5] * 200_000]}

    with_front(work, answer_bytes=1_000_000)


def test_a_model_with_large_answers_of_open_size_is_asked_twice_only_once() -> None:
    async def work(one: Client) -> None:
        for _ in range(3):
            assert (await one.ask("/v1/models/open:predict", {"instances": [50_000]})).status == 200
        assert one.triton.asked["open"] == 4

    with_front(work)


def test_large_answers_come_in_pieces_and_one_after_the_other() -> None:
    async def work(one: Client) -> None:
        replies = await asyncio.gather(*(one.ask("/v1/models/wide:predict", ONE_ROW) for _ in range(5)))
        for reply in replies:
            assert reply.pieces > 10 and "content-length" not in reply.headers
            assert reply.json["predictions"][0][999] == [0.25] * 1000
        assert one.triton.most["wide"] <= 2

    with_front(work, answer_bytes=4_000_000)


@pytest.mark.parametrize("parts", [1, 7])
def test_a_compressed_body_is_as_good_as_a_plain_one(parts: int) -> None:
    async def work(one: Client) -> None:
        body = gzip.compress(b'{"instances": [' + b"1.5, " * 60 + b" " * 2_000_000 + b"2.5]}")
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        step = -(-len(body) // parts)
        for start in range(0, len(body), step):
            queue.put_nowait(sent(body[start : start + step], more=start + step < len(body)))
        reply = await one.ask(PREDICT, headers=[(b"content-encoding", b"gzip")], parts=queue)
        assert reply.json["predictions"] == [3.0] * 60 + [5.0]

    with_front(work)


@pytest.mark.parametrize(
    ("encoding", "body", "status", "message"),
    [
        (b"gzip", gzip.compress(b" " * 2_000_000), 413, "more than the 1000000 allowed"),
        (b"gzip", b"{}", 400, "The body is no gzip"),
        (b"gzip", gzip.compress(b"{}")[:-1], 400, "no complete gzip member"),
        (b"gzip", gzip.compress(b"{}") + b"x", 400, "more after its gzip member"),
        (b"br", b"{}", 415, "Content-Encoding 'br' is not supported"),
        (b"gzip, gzip", b"{}", 415, "Content-Encoding 'gzip, gzip' is not supported"),
    ],
)
def test_a_compressed_body_has_the_same_limits(encoding: bytes, body: bytes, status: int, message: str) -> None:
    async def work(one: Client) -> None:
        reply = await one.ask(PREDICT, body, headers=[(b"content-encoding", encoding)])
        assert (reply.status, message in reply.json["error"]) == (status, True)
        assert not any(budget.is_held for budget in _budgets(one))

    with_front(work, request_bytes=1_000_000)


def test_who_asks_before_sending_too_much_is_refused_before_sending() -> None:
    async def work(one: Client) -> None:
        nothing: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        headers = [(b"content-length", b"1000001"), (b"expect", b"100-continue")]
        assert (await one.ask(PREDICT, headers=headers, parts=nothing)).status == 413

    with_front(work, request_bytes=1_000_000)


def test_a_body_without_end_is_refused_once_it_is_twice_too_large() -> None:
    async def work(one: Client) -> None:
        parts: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        for _ in range(30):
            parts.put_nowait(sent(b" " * 100_000))
        assert (await one.ask(PREDICT, parts=parts)).status == 413

    with_front(work, request_bytes=1_000_000)


def test_a_share_grows_only_where_nobody_waits() -> None:
    async def work(one: Client) -> None:
        budget = one.front._answers
        share, other = await budget.take(10), await budget.take(budget.total - 20)
        share.grow(20)
        with pytest.raises(RestError, match="memory for answers is taken"):
            share.grow(30)
        other.give_back()
        share.give_back()
        assert not budget.is_held

    with_front(work)
