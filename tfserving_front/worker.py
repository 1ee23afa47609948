"""One thread for what takes long, parsing and writing JSON: other requests and probes are answered meanwhile."""

import asyncio
import gc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from .errors import RestError
from .limits import SMALL

_Result = TypeVar("_Result")


class Worker:
    """One thread, as what it does holds Python's lock anyway; and so only one large request is parsed at a time."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "worker")

    async def run(self, size: int, work: Callable[[], _Result]) -> _Result:
        """The result of `work` on that many bytes: at once where they are few, otherwise in the thread."""
        if size <= SMALL:
            return work()
        outcome = await asyncio.get_running_loop().run_in_executor(self._thread, _outcome, work)
        if isinstance(outcome, RestError):
            raise outcome
        return outcome

    def close(self) -> None:
        """End the thread once it has nothing to do; do not wait for it."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def _outcome(work: Callable[[], _Result]) -> _Result | RestError:
    """The result of `work`, or its error without its frames.

    A large body becomes millions of lists, none in a cycle: collecting garbage meanwhile doubles the time.
    """
    gc.disable()
    try:
        return work()
    except RestError as error:
        return error.again()
    finally:
        gc.enable()
