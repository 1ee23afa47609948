"""Where a server is: for the load, for questions and orders, and for its metrics."""

from dataclasses import dataclass, field, replace

from command_line.errors import UsageError
from command_line.proxy import proxy_for

from .nvml import find_gpus
from .server_metrics import Metrics, MetricsEndpoint, MetricsGroup
from .several import each_address, each_url


@dataclass(frozen=True)
class Endpoint:
    """Where the load goes (`address`), where the server is asked and told things (gRPC), and how requests are made.

    Several servers that are measured as one are separated by commas, in all three places in the same order.
    `timeout_s` None: what follows from the objective. `proxy`: through the environment's proxy, also to near addresses.
    `local` says that the server is a process of this machine, so this machine's GPUs are the server's.
    """

    address: str
    control_address: str
    protocol: str = "grpc"
    metrics_url: str | None = None
    timeout_s: float | None = None
    shapes: dict[str, list[int]] = field(default_factory=dict)
    local: bool = False
    proxy: bool = False

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where the load goes, each server by itself."""
        return tuple(self.address.split(","))

    @property
    def control_addresses(self) -> tuple[str, ...]:
        """Where each server is asked."""
        return tuple(self.control_address.split(","))

    def expanded(self) -> "Endpoint":
        """The same with every server by its own address, where a name stands for several.

        Through a proxy a name stays one: the proxy may be the only one who knows it. UsageError when there are not as
        many metrics, or control addresses, as servers.
        """
        if self.protocol == "grpc" and any(proxy_for(address, self.proxy) for address in self.addresses):
            if len(self.addresses) > 1:
                raise UsageError("address", self.address, "several servers are reached without a proxy only")
            return self
        addresses = [one for address in self.addresses for one in each_address(address)]
        if len(addresses) == 1:
            return self
        control = [one for address in self.control_addresses for one in each_address(address)]
        urls = [one for url in (self.metrics_url or "").split(",") if url for one in each_url(url)]
        for option, found in (("control-address", control), ("metrics-url", urls)):
            # One for all of the servers that one name stands for is what their Service has.
            if found and len(found) != len(addresses) and ("," in self.address or len(found) > 1):
                raise UsageError(option, ",".join(found), f"give one for each of the {len(addresses)} servers")
        return replace(
            self, address=",".join(addresses), control_address=",".join(control), metrics_url=",".join(urls) or None
        )

    def metrics(self) -> Metrics | None:
        """The servers' metrics; None where nobody said where they are."""
        if self.metrics_url is None:
            return None
        gpus = find_gpus() if self.local else None
        parts = [MetricsEndpoint(url, gpus) for url in self.metrics_url.split(",")]
        return parts[0] if len(parts) == 1 else MetricsGroup(parts)
