"""Reads how to reach a server from options and the environment, and checks it completely; secrets are never quoted."""

import argparse
import re
import ssl
from collections.abc import Mapping
from pathlib import Path

from command_line.errors import UsageError

from .client_access import VARIABLES, Access, Fields, read_token

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2
_VALUE = re.compile(r"[!-~]([ -~]*[!-~])?")
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750, section 2.1
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*")
# The load makes them itself, or they'd change what a connection is.
OWN_HEADERS = {
    *("accept", "content-length", "content-type", "expect", "host", "inference-header-content-length", "te"),
    *("connection", "keep-alive", "proxy-authorization", "proxy-connection", "trailer", "transfer-encoding"),
    *("upgrade", "user-agent"),
}
# A block of headers goes out in one frame of HTTP/2, which holds 16,384 bytes.
_MOST_BYTES = 12_000
HIDDEN = "(not shown)"


class Said:
    """What an option says, or else the environment; with the name under which a person knows it."""

    def __init__(self, options: argparse.Namespace | None, environment: Mapping[str, str]) -> None:
        self._options, self._environment = options, environment

    def text(self, option: str) -> tuple[str, str]:
        """Its name and value; an empty value: it isn't said."""
        given = getattr(self._options, option.replace("-", "_"), None)
        return (option, str(given)) if given else (VARIABLES[option], self._environment.get(VARIABLES[option], ""))

    def lines(self, option: str) -> tuple[str, list[str]]:
        """The same of one that may be given several times; the environment has one a line."""
        given = getattr(self._options, option.replace("-", "_"), None)
        if given:
            return option, given
        return VARIABLES[option], [line for line in self._environment.get(VARIABLES[option], "").split("\n") if line]

    def path(self, option: str) -> tuple[str, Path | None]:
        """Its name, and the file that it names."""
        name, text = self.text(option)
        return name, Path(text) if text else None

    def flag(self, option: str) -> bool:
        """Whether it is switched on; UsageError for a variable that is neither true nor false."""
        name, text = self.text(option)
        value = text.lower()
        if value not in ("", "true", "1", "false", "0"):
            raise UsageError(name, text, "write true or false")
        return value in ("true", "1")


def read_tls(options: argparse.Namespace | None, environment: Mapping[str, str]) -> bool:
    """Whether addresses that don't say it themselves are behind TLS."""
    return Said(options, environment).flag("tls")


def read_access(options: argparse.Namespace | None, environment: Mapping[str, str]) -> Access:
    """Check everything; UsageError names what is wrong, without the values of headers and tokens."""
    said = Said(options, environment)
    certificate, key = _client_certificate(said)
    token_file, token = _token(said)
    access = Access(
        ca=_ca(said),
        certificate=certificate,
        key=key,
        server_name=_server_name(said),
        headers=_headers(said),
        token_file=token_file,
        token_value=token,
        retries=said.flag("retries"),
    )
    size = sum(len(name) + len(value) for name, value in access.fields())
    if size > _MOST_BYTES:
        raise UsageError("header", HIDDEN, f"headers and token have {size} bytes together, {_MOST_BYTES} are allowed")
    return access


def _ca(said: Said) -> Path | None:
    name, path = said.path("ca")
    if path is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            context.load_verify_locations(cafile=path)
        except ssl.SSLError:
            raise UsageError(name, str(path), "give a file with certificates in PEM") from None
        except OSError as error:
            raise UsageError(name, str(path), f"it can't be read ({error.strerror})") from None
    return path


def _client_certificate(said: Said) -> tuple[Path | None, Path | None]:
    (name, certificate), (key_name, key) = said.path("client-certificate"), said.path("client-key")
    if certificate is None and key is None:
        return None, None
    if certificate is None or key is None:
        # Named as the other one was given: as an option or a variable.
        given, lacking = (key_name, "client-certificate") if certificate is None else (name, "client-key")
        raise UsageError(
            VARIABLES[lacking] if given in VARIABLES.values() else lacking,
            "",
            "a client certificate and its key go together: give both",
        )
    try:
        # An encrypted key would ask the terminal for its password.
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, password=lambda: b"")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise UsageError(key_name, str(key), f"it is not the key of {certificate}") from None
        raise UsageError(name, str(certificate), f"give it and {key} in PEM, the key not encrypted") from None
    except OSError as error:
        raise UsageError(name, str(certificate), f"it, or {key}, can't be read ({error.strerror})") from None
    return certificate, key


def _server_name(said: Said) -> str:
    name, text = said.text("server-name")
    if text and not _HOST.fullmatch(text):
        raise UsageError(name, text, "give a host name, as it stands in the server's certificate")
    return text


def _headers(said: Said) -> Fields:
    field, lines = said.lines("header")
    found = []
    for line in lines:
        name, separator, value = line.partition("=")
        name = name.strip().lower()
        if not separator or not _NAME.fullmatch(name):
            raise UsageError(field, HIDDEN, "write it as NAME=VALUE")
        if name in OWN_HEADERS or name.startswith("grpc-") or name.endswith("-bin"):
            raise UsageError(field, name, "the load sets this one itself, or can't send it")
        value = value.strip(" ")
        if not _VALUE.fullmatch(value):
            raise UsageError(field, name, "its value must be visible ASCII text, in one line")
        found.append((name, value))
    if len(dict(found)) < len(found):
        raise UsageError(field, ", ".join(name for name, _ in found), "give each header once")
    if "authorization" in dict(found) and any(said.text(option)[1] for option in ("token-file", "token")):
        raise UsageError(field, "authorization", "a token is this header: give one of both")
    return tuple(found)


def _token(said: Said) -> tuple[Path | None, str]:
    name, path = said.path("token-file")
    variable, value = said.text("token")
    if path is not None:
        if value and name == VARIABLES["token-file"]:
            raise UsageError(name, str(path), f"{variable} is there too: set one of both")
        if not _TOKEN.fullmatch(read_token(name, path)):
            raise UsageError(name, str(path), "it must hold a bearer token: letters, digits and -._~+/=")
        return path, ""
    if value and not _TOKEN.fullmatch(value):
        raise UsageError(variable, HIDDEN, "it must be a bearer token: letters, digits and -._~+/=")
    return None, value
