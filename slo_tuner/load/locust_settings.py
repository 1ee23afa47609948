"""The settings of the locustfile, read once from the environment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from command_line.arguments import not_negative, positive
from command_line.errors import UsageError

from ..access.addresses import check_server, check_use, default_control, read_protocol
from ..access.client_access import Access
from ..access.settings import read_access, read_tls
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
    access: Access = field(default_factory=Access)


def read_settings(environment: Mapping[str, str]) -> Settings:
    """The settings from SLO_TUNER_*; UsageError names the variable that is wrong."""
    model = environment.get("SLO_TUNER_MODEL", "")
    if not model:
        raise UsageError("SLO_TUNER_MODEL", model, "name the model to send requests to")
    mode = environment.get("SLO_TUNER_MODE", "closed")
    if mode not in ("open", "closed"):
        raise UsageError("SLO_TUNER_MODE", mode, "choose open or closed")
    at = environment.get("SLO_TUNER_ADDRESS", "localhost:8001")
    protocol = read_protocol(environment.get("SLO_TUNER_PROTOCOL"), [at], "SLO_TUNER_PROTOCOL")
    access, tls = read_access(None, environment), read_tls(None, environment)
    if access.retries and protocol != "grpc":
        raise UsageError("SLO_TUNER_RETRIES", "true", f"the retry policy is gRPC's: {protocol} has none")
    address = check_server("SLO_TUNER_ADDRESS", at, protocol, tls)
    said = environment.get("SLO_TUNER_CONTROL_ADDRESS", "")
    control = check_server("SLO_TUNER_CONTROL_ADDRESS", said, "grpc", tls) if said else ""
    control = control or default_control(address, protocol)
    check_use(access, (address, control))
    objective = environment.get("SLO_TUNER_OBJECTIVE", "")
    examples = environment.get("SLO_TUNER_EXAMPLES", "")
    return Settings(
        model=model,
        address=address,
        control_address=control,
        protocol=protocol,
        mode=mode,
        rate_per_s=positive("SLO_TUNER_RATE_PER_S", environment.get("SLO_TUNER_RATE_PER_S", "100")),
        user_rate_per_s=positive("SLO_TUNER_USER_RATE_PER_S", environment.get("SLO_TUNER_USER_RATE_PER_S", "10")),
        timeout_s=positive("SLO_TUNER_TIMEOUT_S", environment.get("SLO_TUNER_TIMEOUT_S", "10")),
        warm_up_s=not_negative("SLO_TUNER_WARM_UP_S", environment.get("SLO_TUNER_WARM_UP_S", "2")),
        objective=parse_objective(objective, "SLO_TUNER_OBJECTIVE") if objective else None,
        examples=check_examples("SLO_TUNER_EXAMPLES", Path(examples)) if examples else None,
        access=access,
    )
