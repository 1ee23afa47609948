"""What a predict request goes through: its body, a place, Triton in as many parts as needed, and its answer."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from itertools import chain
from math import prod
from typing import Any
from weakref import WeakValueDictionary

from .answer import check_rows, write_answer
from .body import Body, Receive, read_body
from .budget import Budget, Share
from .errors import RestError
from .json_body import parse_body
from .limits import Limits
from .outputs import Output
from .predict import PredictRequest, read_request
from .shapes import fit, rows_of, split, unfit
from .signature import Signature
from .triton import Inference, Triton, too_large
from .worker import Worker

# So long without a place for anybody is no load any more: what has the places is stuck.
_STUCK_S = 10.0


class Answer:
    """The text of an answer, in pieces, and about how much it is. Its tensors are counted until it is given back."""

    def __init__(self, pieces: Iterator[bytes], size: int, share: Share) -> None:
        self.pieces, self.size, self._share = pieces, size, share

    def give_back(self) -> None:
        """Forget the answer."""
        self.pieces = iter(())
        self._share.give_back()


class Front:
    """What the handlers share: the way to Triton, the limits, and what is held within them."""

    def __init__(self, triton_address: str, limits: Limits) -> None:
        self.limits, self.worker = limits, Worker()
        self.triton = Triton(triton_address, limits, self.worker)
        waiting = limits.most_waiting
        self.places = Budget(limits.in_flight, waiting, f"All {limits.in_flight} places are taken")
        self._bodies = Budget(limits.bodies_bytes, waiting, "The memory for requests is taken")
        self._requests = Budget(limits.requests_bytes, waiting, "The memory for requests is taken")
        self._answers = Budget(limits.answers_bytes, waiting, "The memory for answers is taken")
        # Of models whose outputs have no fixed size: the largest answer so far.
        self._largest: dict[str, int] = {}
        self._windows: WeakValueDictionary[tuple[str, str, int], asyncio.Semaphore] = WeakValueDictionary()

    async def close(self) -> None:
        """Close the way to Triton."""
        await self.triton.close()
        self.worker.close()

    async def is_ready(self) -> bool:
        """Whether requests are answered: Triton is ready, and those who wait for a place get one."""
        return self.places.waited_s < _STUCK_S and await self.triton.is_ready()

    async def body(self, receive: Receive, headers: Mapping[str, str]) -> Body:
        """The body of a request."""
        return await read_body(receive, headers, self.limits, self._bodies)

    async def predict(self, model: str, version: str, body: Body) -> Answer:
        """The answer to a request. Its body is given back as soon as it is parsed."""
        place = request = answers = None
        try:
            async with self._timeout():
                place = await self.places.take(1)
                request = await self._requests.take(self.limits.of_request(len(body.data)))
                signature = await self.triton.signature(model, version)
                asked = await self._parsed(body, signature)
                fitted = fit(asked.arrays, signature)
                expected = self._expected(model, signature, rows_of(fitted.arrays))
                answers = await self._answers.take(self.limits.of_answer(expected))
                call = Inference(model, version, signature, answers, expected)
                parts = await self._infer(call, fitted.arrays)
            outputs = [unfit(part, signature, fitted.added) for part in parts]
            if asked.rows:
                check_rows(outputs[0])
            if call.signature.answer_bytes(0) is None:
                self._largest[model] = max(call.size, self._largest.get(model, 0))
            size = max(call.size, sum(map(_weight, outputs)))
            answer, answers = Answer(write_answer(outputs, asked.rows), size, answers), None
            return answer
        finally:
            for share in (place, request, answers):
                if share:
                    share.give_back()

    @asynccontextmanager
    async def _timeout(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self.limits.timeout_s):
                yield
        except TimeoutError:
            raise RestError(504, f"There was no answer within {self.limits.timeout_s:g} s") from None

    async def _parsed(self, body: Body, signature: Signature) -> PredictRequest:
        data = body.data
        asked = await self.worker.run(len(data), lambda: read_request(parse_body(data), signature))
        body.give_back()
        return asked

    def _expected(self, model: str, signature: Signature, rows: int) -> int:
        size = signature.answer_bytes(rows)
        if size is None:
            return self._largest.get(model, 0)
        if size > self.limits.answer_bytes:
            raise too_large(size, self.limits)
        return size

    async def _infer(self, call: Inference, arrays: Mapping[str, Any]) -> list[dict[str, Output]]:
        """The answers to all parts of a batch, in order.

        No more parts are at Triton than the model's queue holds, those of other large batches included.
        """
        parts = split(arrays, call.signature)
        first, second = next(parts), next(parts, None)
        if second is None:
            return [await self.triton.infer(call, first)]
        numbered = enumerate(chain((first, second), parts))
        answers: dict[int, dict[str, Output]] = {}
        at_a_time = call.signature.parts_at_a_time
        window = self._windows.setdefault((call.model, call.version, at_a_time), asyncio.Semaphore(at_a_time))

        async def ask_in_turn() -> None:
            for number, part in numbered:
                async with window:
                    answers[number] = await self.triton.infer(call, part)

        await _all_or_first_error([ask_in_turn() for _ in range(at_a_time)])
        return [answers[number] for number in range(len(answers))]


async def _all_or_first_error(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for error in filter(None, (task.exception() for task in done)):
            raise error.again() if isinstance(error, RestError) else error
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _weight(outputs: Mapping[str, Output]) -> int:
    """The values of the outputs, or brackets where there are none."""
    return sum(prod(max(size, 1) for size in one.shape) for one in outputs.values())
