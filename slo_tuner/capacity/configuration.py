"""What Triton is told about one model: batch, instances, queue delay."""

from pydantic import BaseModel, ConfigDict


class Configuration(BaseModel):
    """What Triton is told about one model.

    `preferred` empty means the largest batch alone, which Triton fills in by itself; then the batcher waits for it as
    long as `delay_us` allows. `instances` counts those of each instance group, on each of its GPUs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    batch: int
    instances: int
    delay_us: int = 0
    preferred: tuple[int, ...] = ()

    def __str__(self) -> str:
        preferred = f", preferred {' and '.join(map(str, self.preferred))}" if self.preferred else ""
        return f"batch {self.batch}, instances {self.instances}, delay {self.delay_us} µs{preferred}"

    def normal(self) -> "Configuration":
        """The same behaviour in one spelling: a lone request is never joined, and the largest batch is preferred."""
        if self.batch == 1:
            return self.model_copy(update={"delay_us": 0, "preferred": ()})
        preferred = tuple(sorted(size for size in set(self.preferred) if 1 < size <= self.batch))
        return self.model_copy(update={"preferred": () if preferred == (self.batch,) else preferred})

    def differences(self, other: "Configuration") -> tuple[str, ...]:
        """The names of the fields in which the two differ."""
        return tuple(name for name in type(self).model_fields if getattr(self, name) != getattr(other, name))
