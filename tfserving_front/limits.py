"""What one client may take, and what all of them together may: the front's memory follows from these numbers."""

from dataclasses import dataclass

# What is smaller is worked on at once and counted nowhere: 16 of them at a time are nothing beside Python itself.
SMALL = 1 << 16
# While a request is worked on, its body becomes an array, a protobuf message and what gRPC sends: by experiment at most
# eight times the bytes of JSON.
_COPIES_OF_REQUEST = 8
# An answer is a message and, for a moment, what gRPC received.
_COPIES_OF_ANSWER = 2


@dataclass(frozen=True)
class Limits:
    """The limits of one request, and how many are worked on at a time.

    `timeout_s` holds three times: for a body to come, for Triton to answer, and for a client to take an answer.
    """

    timeout_s: float = 60.0
    request_bytes: int = 16_000_000
    answer_bytes: int = 32_000_000
    in_flight: int = 16
    # A client that neither sends nor takes anything for so long is cut off.
    stall_s: float = 20.0
    # A connection more ends the one that is idle for longest.
    connections: int = 1000

    @property
    def most_waiting(self) -> int:
        """Requests that may wait for a place; a further one is refused, since it would wait for seconds."""
        return 4 * self.in_flight

    @property
    def bodies_bytes(self) -> int:
        """Bytes of bodies that come or wait at a time: four of the largest."""
        return 4 * self.request_bytes

    @property
    def requests_bytes(self) -> int:
        """Bytes of requests that are worked on at a time: one of the largest, or many small ones."""
        return _COPIES_OF_REQUEST * self.request_bytes

    @property
    def answers_bytes(self) -> int:
        """Bytes of answers that are awaited or sent at a time: two of the largest."""
        return 2 * _COPIES_OF_ANSWER * self.answer_bytes

    def of_request(self, size: int) -> int:
        """What working on a body of that many bytes takes."""
        return _COPIES_OF_REQUEST * size if size > SMALL else 0

    def of_answer(self, size: int) -> int:
        """What an answer of that many bytes takes."""
        return _COPIES_OF_ANSWER * size if size > SMALL else 0
