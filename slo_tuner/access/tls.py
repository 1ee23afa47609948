"""TLS as every connection of slo-tuner uses it: whom it trusts, what it shows, and which protocol it asks for."""

import ssl
from pathlib import Path

from command_line.errors import ServerError

from .client_access import Access

HTTP_1, HTTP_2 = "http/1.1", "h2"
"""What a connection asks the server to speak on it (ALPN, RFC 7301)."""


def make_context(access: Access, protocol: str = HTTP_1) -> ssl.SSLContext:
    """The settings of TLS connections on which `protocol` is spoken; ServerError where a file of theirs is gone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols([protocol])
    try:
        if access.ca is None:
            context.load_default_certs()
        else:
            context.load_verify_locations(cafile=access.ca)
        if access.certificate is not None:
            context.load_cert_chain(access.certificate, access.key)
    except OSError as error:  # also ssl's own
        raise ServerError(f"the files for TLS can't be read any more: {error.strerror or error}") from None
    return context


def trusting_all() -> ssl.SSLContext:
    """TLS that trusts everybody: only to find out whether a server speaks it. Nothing is sent on such a connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def trusted_pem(access: Access) -> bytes | None:
    """The certificates of the CAs that are trusted, for gRPC, which has its own TLS; None: those that it brings."""
    path = access.ca or ssl.get_default_verify_paths().cafile
    return Path(path).read_bytes() if path else None
