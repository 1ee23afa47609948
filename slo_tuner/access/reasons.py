"""Why a server could not be reached or refused: the one line that a person needs, from what OpenSSL and gRPC say."""

import ssl

from .client_access import Access

# Results of the verification of a certificate (OpenSSL, X509_V_ERR_*).
_EXPIRED, _NOT_YET, _WRONG_NAME = 10, 9, (62, 64)
_UNKNOWN_CA = (2, 18, 19, 20, 21)
_NO_TLS = (
    "WRONG_VERSION_NUMBER",
    "HTTP_REQUEST",
    "UNKNOWN_PROTOCOL",
    "RECORD_LAYER_FAILURE",
    "PACKET_LENGTH_TOO_LONG",
    "UNEXPECTED_MESSAGE",
)
_DEMANDED = ("TLSV13_ALERT_CERTIFICATE_REQUIRED",)
_REFUSED = (
    "TLSV1_ALERT_UNKNOWN_CA",
    "SSLV3_ALERT_BAD_CERTIFICATE",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
    "SSLV3_ALERT_CERTIFICATE_REVOKED",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
    "TLSV1_ALERT_ACCESS_DENIED",
    "TLSV1_ALERT_DECRYPT_ERROR",
)
SPEAKS_TLS = "the server there speaks TLS: add --tls, or write grpcs:// or https://"
NO_HTTP_2 = "the server speaks TLS, and not HTTP/2 as gRPC needs it"
_SHOW = "a client certificate: --client-certificate and --client-key"


class TlsError(OSError):
    """A TLS connection that could not be made, or was ended; the message is one short line."""


def tls_reason(error: OSError, name: str, access: Access) -> str:
    """Why TLS with a server whose certificate has to be for `name` failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _of_certificate(error, name)
    if not isinstance(error, ssl.SSLError):
        return f"the server ended the TLS handshake ({error.strerror or error}): does it speak TLS?"
    reason = error.reason or ""
    if reason in _NO_TLS:
        return "the server there does not speak TLS: leave out --tls, or the s of grpcs:// and https://"
    if reason in _DEMANDED or (reason == "SSLV3_ALERT_HANDSHAKE_FAILURE" and access.certificate is None):
        return f"the server demands {_SHOW}"
    if reason in _REFUSED and access.certificate is not None:
        return f"the server does not accept the client certificate ({_alert(reason)})"
    if reason in _REFUSED:
        return f"the server refused the connection ({_alert(reason)}); it may demand a client certificate"
    if reason == "TLSV1_UNRECOGNIZED_NAME":
        return f"the server has no certificate for {name}: --server-name"
    if reason == "TLSV1_ALERT_NO_APPLICATION_PROTOCOL":
        return "the server speaks TLS, and not the protocol that was asked for"
    if isinstance(error, ssl.SSLEOFError):
        return "the server ended the TLS handshake: does it speak TLS?"
    return f"TLS failed: {reason.lower().replace('_', ' ') or error}"


def ended_reason(access: Access) -> str:
    """Why a server may end a connection after the handshake, without a word: some say nothing to who lacks a
    certificate."""
    if access.certificate is None:
        return f"the server ended the connection after the TLS handshake; it may demand {_SHOW}"
    return "the server ended the connection after the TLS handshake; it may not accept the client certificate"


def _of_certificate(error: ssl.SSLCertVerificationError, name: str) -> str:
    if error.verify_code == _EXPIRED:
        return "the server's certificate has expired"
    if error.verify_code == _NOT_YET:
        return "the server's certificate is not valid yet"
    if error.verify_code in _WRONG_NAME:
        return f"the server's certificate is not for {name}: --server-name says for whom it is"
    if error.verify_code in _UNKNOWN_CA:
        return "the server's certificate is of a CA that is not trusted: --ca names its file"
    return f"the server's certificate is not trusted: {error.verify_message}"


def _alert(reason: str) -> str:
    return reason.partition("_ALERT_")[2].lower().replace("_", " ")


def refusal(reason: str, access: Access) -> str:
    """What to do about a server, or a gateway before it, that did not take a request for who sent it; else nothing."""
    token = "the token" if access.token_file or access.token_value else "no token (--token-file)"
    if reason.startswith(("HTTP 401", "UNAUTHENTICATED")) or "status: 401" in reason:
        return f"the server does not know the client by {token}"
    if reason.startswith(("HTTP 403", "PERMISSION_DENIED")) or "status: 403" in reason:
        return f"the server forbids it to the client with {token}"
    return ""
