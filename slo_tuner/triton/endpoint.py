"""Where a server is: for the load, for questions and orders, and for its metrics."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from command_line.errors import UsageError
from command_line.proxy import proxy_for

from ..access.addresses import host_of, is_tls
from ..access.client_access import Access
from .nvml import find_gpus
from .server_metrics import Metrics, MetricsEndpoint, MetricsGroup
from .several import each_address, each_url


@dataclass(frozen=True)
class Endpoint:
    """Where the load goes (`address`), where the server is asked and told things (gRPC), and how requests are made.

    Several servers that are measured as one are separated by commas, in all three places in the same order.
    `timeout_s` None: what follows from the objective. `proxy`: through the environment's proxy, also to near addresses.
    `examples` are rows to send in place of generated ones: a file, a directory of images, or a repository with samples;
    where nobody asked for any, those in `repository`. `access` is how a server that guards itself is reached; `names`
    are whom certificates have to be for, by the address or host of a URL, where a name stood for several.
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
    examples: Path | None = None
    repository: Path | None = None
    access: Access = field(default_factory=Access)
    names: dict[str, str] = field(default_factory=dict)

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where the load goes, each server by itself."""
        return tuple(self.address.split(","))

    @property
    def control_addresses(self) -> tuple[str, ...]:
        """Where each server is asked."""
        return tuple(self.control_address.split(","))

    def name_of(self, address: str) -> str:
        """Whom the certificate of the server at an address has to be for."""
        return self.access.server_name or self.names.get(address) or host_of(address)

    @property
    def server_names(self) -> tuple[str, ...]:
        """The same of each server that gets load."""
        return tuple(self.name_of(address) for address in self.addresses)

    def expanded(self) -> "Endpoint":
        """The same with every server by its own address, where a name stands for several.

        Through a proxy a name stays one: the proxy may be the only one who knows it. UsageError when there are not as
        many metrics, or control addresses, as servers.
        """
        if self.protocol == "grpc" and any(proxy_for(address, self.proxy) for address in self.addresses):
            if len(self.addresses) > 1:
                raise UsageError("address", self.address, "several servers are reached without a proxy only")
            return self
        names: dict[str, str] = {}

        def each(listed: tuple[str, ...]) -> list[str]:
            found = [(one, address) for address in listed for one in each_address(address)]
            names.update({one: host_of(address) for one, address in found if is_tls(address) and one != address})
            return [one for one, _ in found]

        addresses = each(self.addresses)
        if len(addresses) == 1:
            return self
        control = each(self.control_addresses)
        given = tuple(url for url in (self.metrics_url or "").split(",") if url)
        urls = [one for url in given for one in each_url(url)]
        names.update({one: urlsplit(url).hostname or "" for url in given for one in each_url(url) if one != url})
        for option, found in (("control-address", control), ("metrics-url", urls)):
            # One for all of the servers that one name stands for is what their Service has.
            if found and len(found) != len(addresses) and ("," in self.address or len(found) > 1):
                raise UsageError(option, ",".join(found), f"give one for each of the {len(addresses)} servers")
        return replace(
            self,
            address=",".join(addresses),
            control_address=",".join(control),
            metrics_url=",".join(urls) or None,
            names=names,
        )

    def metrics(self) -> Metrics | None:
        """The servers' metrics; None where nobody said where they are."""
        if self.metrics_url is None:
            return None
        gpus = find_gpus() if self.local else None
        parts = [
            MetricsEndpoint(url, gpus, self.access, self.names.get(url, "")) for url in self.metrics_url.split(",")
        ]
        return parts[0] if len(parts) == 1 else MetricsGroup(parts)
