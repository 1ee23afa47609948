"""What a machine costs an hour, and what inferences cost on it: the price table and its arithmetic."""

import datetime
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, ValidationError

from command_line.errors import UsageError

from ..results.record import Record

OWN_TABLE = Path(__file__).with_name("prices.yaml")
_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
_OFFER = re.compile(r"(?P<machine>[^+]+)(\+((?P<count>[1-9]\d?)x)?(?P<gpu>[^+]+))?")
_ALLOWED = "a YAML file with machines and gpus, each NAME: {usd_per_hour: 0.19, as_of: 2021-08-23}"

_Name = Annotated[str, Field(pattern=_NAME)]


class Price(Record):
    """A list price, and the day on which it was true."""

    usd_per_hour: Annotated[float, Field(gt=0, lt=100_000)]
    as_of: datetime.date


@dataclass(frozen=True)
class Offer:
    """A machine with its GPUs, as `n1-standard-4+T4`, and what it costs; `as_of` is the oldest price in the sum.

    `gpu` is what its `gpus` are called in the price table, empty for none.
    """

    name: str
    usd_per_hour: float
    as_of: datetime.date
    gpus: int = 0
    gpu: str = ""


class PriceTable(Record):
    """Prices of machines without GPU, and of GPUs added to them."""

    machines: Annotated[dict[_Name, Price], Field(min_length=1)]
    gpus: dict[_Name, Price] = Field(default_factory=dict)

    def offer(self, name: str) -> Offer:
        """The price of `MACHINE`, `MACHINE+GPU` or `MACHINE+NxGPU`; UsageError for one that is not in the table."""
        parts = _OFFER.fullmatch(name)
        machine = self.machines.get(parts["machine"]) if parts else None
        if parts is None or machine is None:
            raise UsageError("machine", name, f"the price table has the machines {', '.join(self.machines)}")
        if parts["gpu"] is None:
            return Offer(name, machine.usd_per_hour, machine.as_of)
        gpu = self.gpus.get(parts["gpu"])
        if gpu is None:
            raise UsageError("machine", name, f"the price table has the GPUs {', '.join(self.gpus) or '(none)'}")
        count = int(parts["count"] or 1)
        total = machine.usd_per_hour + count * gpu.usd_per_hour
        return Offer(name, total, min(machine.as_of, gpu.as_of), count, parts["gpu"])


def read_prices(path: Path = OWN_TABLE) -> PriceTable:
    """The price table of a file, by default the package's own; UsageError names what is wrong in it."""
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            # Its value may be all of another file: a list of passwords is no word of an error.
            raise UsageError("prices", str(path), f"it must be {_ALLOWED}")
        return PriceTable.model_validate(content)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise UsageError("prices", str(path), f"it cannot be read ({reason}); name {_ALLOWED}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1} is no YAML)" if mark else ""
        raise UsageError("prices", str(path), f"it must be {_ALLOWED}{where}") from None
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(["prices", *(str(part) for part in first["loc"])])
        raise UsageError(field, first["input"], f"{first['msg']}; {path} must be {_ALLOWED}") from None
    except ValueError as error:
        # YAML reads 2026-02-30 as a day that there is not.
        raise UsageError("prices", str(path), f"it must be {_ALLOWED} ({error})") from None


def usd_per_million(usd_per_hour: float, rate_per_s: float) -> float:
    """US dollars for a million inferences on a machine that serves `rate_per_s` all the time."""
    return usd_per_hour * 1e6 / (rate_per_s * 3600)


def usd_text(usd: float, digits: int = 2) -> str:
    """US dollars with so many digits after the point; less than one dollar with three that are not 0."""
    return f"{usd:.{digits}f}" if usd >= 1 or usd == 0 else f"{usd:.3g}"


@dataclass(frozen=True)
class CapacityMargin:
    """What a deployment must have to spare: a share of each Pod's capacity, and one whole zone of `zones`.

    With one zone its loss can't be survived, so none is planned for.
    """

    headroom: float = 0.2
    zones: int = 3


def replicas(rate_per_s: float, capacity_per_s: float, spare: CapacityMargin) -> int:
    """The fewest Pods, spread evenly over the zones, that serve `rate_per_s` when the zone with most Pods is lost.

    `capacity_per_s` is what one Pod serves within the objective, of which all but the headroom is used.
    """
    # A share such as 1 - 0.2 is not exact in binary: without rounding, 80 of 80 requests would need a second Pod.
    needed = math.ceil(round(rate_per_s / (capacity_per_s * (1 - spare.headroom)), 9))
    if spare.zones == 1:
        return needed
    # Of n + k Pods a zone has at most the k that may be lost, so k is at least n / (zones - 1).
    return needed - (-needed // (spare.zones - 1))
