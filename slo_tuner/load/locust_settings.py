"""The settings of the locustfile, read once from the environment."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from command_line.arguments import check_address, check_protocol, default_control_address, not_negative, positive
from command_line.errors import UsageError

from ..slo.objective import Objective, parse_objective
from .examples import check_examples


@dataclass(frozen=True)
class Settings:
    """What the locustfile sends, where to and how fast; rates in requests per second."""

    model: str
    address: str
    control_address: str
    protocol: str
    mode: str
    rate_per_s: float
    user_rate_per_s: float
    timeout_s: float
    warm_up_s: float
    objective: Objective | None
    examples: Path | None = None


def read_settings(environment: Mapping[str, str]) -> Settings:
    """The settings from SLO_TUNER_*; UsageError names the variable that is wrong."""
    model = environment.get("SLO_TUNER_MODEL", "")
    if not model:
        raise UsageError("SLO_TUNER_MODEL", model, "name the model to send requests to")
    mode = environment.get("SLO_TUNER_MODE", "closed")
    if mode not in ("open", "closed"):
        raise UsageError("SLO_TUNER_MODE", mode, "choose open or closed")
    protocol = check_protocol("SLO_TUNER_PROTOCOL", environment.get("SLO_TUNER_PROTOCOL", "grpc"))
    address = check_address("SLO_TUNER_ADDRESS", environment.get("SLO_TUNER_ADDRESS", "localhost:8001"), protocol)
    control = environment.get("SLO_TUNER_CONTROL_ADDRESS", "")
    objective = environment.get("SLO_TUNER_OBJECTIVE", "")
    examples = environment.get("SLO_TUNER_EXAMPLES", "")
    return Settings(
        model=model,
        address=address,
        control_address=check_address("SLO_TUNER_CONTROL_ADDRESS", control)
        if control
        else default_control_address(address, protocol),
        protocol=protocol,
        mode=mode,
        rate_per_s=positive("SLO_TUNER_RATE_PER_S", environment.get("SLO_TUNER_RATE_PER_S", "100")),
        user_rate_per_s=positive("SLO_TUNER_USER_RATE_PER_S", environment.get("SLO_TUNER_USER_RATE_PER_S", "10")),
        timeout_s=positive("SLO_TUNER_TIMEOUT_S", environment.get("SLO_TUNER_TIMEOUT_S", "10")),
        warm_up_s=not_negative("SLO_TUNER_WARM_UP_S", environment.get("SLO_TUNER_WARM_UP_S", "2")),
        objective=parse_objective(objective, "SLO_TUNER_OBJECTIVE") if objective else None,
        examples=check_examples("SLO_TUNER_EXAMPLES", Path(examples)) if examples else None,
    )
