"""What a client shows to a server, and whom it trusts: frozen, checked once, and never printed where it is a secret."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from command_line.errors import UsageError

Fields = tuple[tuple[str, str], ...]
"""Names, in lower case, and values of headers."""

VARIABLES = {
    "ca": "SLO_TUNER_CA",
    "client-certificate": "SLO_TUNER_CLIENT_CERTIFICATE",
    "client-key": "SLO_TUNER_CLIENT_KEY",
    "server-name": "SLO_TUNER_SERVER_NAME",
    "header": "SLO_TUNER_HEADERS",
    "token-file": "SLO_TUNER_TOKEN_FILE",
    "token": "SLO_TUNER_TOKEN",
    "retries": "SLO_TUNER_RETRIES",
    "tls": "SLO_TUNER_TLS",
}
"""The environment variable of each option; `token` has no option, as everybody may read a command line."""


@dataclass(frozen=True)
class Access:
    """The CA that is trusted (None: the system's), what proves who the client is, and what is sent with each request.

    `server_name` is what the certificate has to be for, in place of the address. `retries`: gRPC's retry policy is
    followed. A token file is read whenever connections are made, so that a token may be renewed.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    server_name: str = ""
    headers: Fields = field(default=(), repr=False)
    token_file: Path | None = None
    token_value: str = field(default="", repr=False)
    retries: bool = False

    def fields(self) -> Fields:
        """The headers of each request, with the token; UsageError where its file can't be read any more."""
        token = self.token_value if self.token_file is None else read_token("token-file", self.token_file)
        return (*self.headers, *((("authorization", f"Bearer {token}"),) if token else ()))

    @property
    def proofs(self) -> tuple[str, ...]:
        """What a process needs of its own to have the same access, in words: no value, and no path."""
        found = {
            "a CA": self.ca,
            "a client certificate": self.certificate,
            "a token": self.token_file or self.token_value,
        }
        return (*(name for name, value in found.items() if value), *(f"the header {name}" for name, _ in self.headers))

    def environment(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """The environment by which a child has the same access: a command line could be read by everybody."""
        own = {
            "ca": self.ca,
            "client-certificate": self.certificate,
            "client-key": self.key,
            "header": "\n".join(f"{name}={value}" for name, value in self.headers),
            "token-file": self.token_file,
            "token": self.token_value,
        }
        others = {name: value for name, value in inherited.items() if name not in VARIABLES.values()}
        return others | {VARIABLES[option]: _absolute(value) for option, value in own.items() if value}


def read_token(name: str, path: Path) -> str:
    """The one line of a token file; UsageError names the file, never what is in it."""
    try:
        lines = path.read_text(encoding="ascii").split()
    except (OSError, ValueError) as error:
        raise UsageError(name, str(path), f"it can't be read ({_why(error)})") from None
    if len(lines) != 1:
        raise UsageError(name, str(path), "it must hold one token, and nothing else")
    return lines[0]


def _why(error: OSError | ValueError) -> str:
    return str(error.strerror) if isinstance(error, OSError) else "it is not ASCII text"


def _absolute(value: str | Path) -> str:
    return str(value.absolute()) if isinstance(value, Path) else value
