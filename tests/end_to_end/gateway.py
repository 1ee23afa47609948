"""A real gateway before a server: Traefik with TLS and, at another host name, client certificates; tokens are checked.

It asks an authority of the test's own about the token of each request (Traefik's forwardAuth).
"""

import http.client
import http.server
import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from certificates import Authority

TOKEN = "the-right-token"
PUBLIC, MUTUAL = "127.0.0.1", "mutual.example"


@dataclass(frozen=True)
class Servers:
    """Where a Triton answers, as host:port each."""

    grpc: str
    http: str
    metrics: str


@dataclass(frozen=True)
class Gateway:
    """A running one: host:port, and the files of certificates by which it is reached."""

    address: str
    authority: Authority
    folder: Path


class _Check(http.server.BaseHTTPRequestHandler):
    """Answers 401 without a token, 403 to a wrong one."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        sent = self.headers["Authorization"]
        self.send_response(200 if sent == f"Bearer {TOKEN}" else 403 if sent else 401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing to print."""


@contextmanager
def gateway(servers: Servers, folder: Path) -> Iterator[Gateway]:
    """Traefik while the block runs; its files and its log lie in the folder."""
    program = shutil.which("traefik")
    assert program, "traefik is not on PATH: it comes with the dependency group `gateway`"
    authority, port = Authority(folder), _free_port()
    checks = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Check)
    checking = threading.Thread(target=checks.serve_forever)
    checking.start()
    try:
        routes = folder / "routes.yaml"
        routes.write_text(json.dumps(_routes(servers, checks.server_port, authority)))
        command = [
            program,
            f"--entrypoints.secure.address=127.0.0.1:{port}",
            f"--providers.file.filename={routes}",
            "--log.level=ERROR",
        ]
        with (folder / "traefik.log").open("wb") as log:
            traefik = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=folder)
        try:
            _wait_until_it_checks(port, traefik, authority)
            yield Gateway(f"127.0.0.1:{port}", authority, folder)
        finally:
            traefik.terminate()
            traefik.wait(20)
    finally:
        checks.shutdown()
        checking.join()
        checks.server_close()


def _routes(servers: Servers, check_port: int, authority: Authority) -> dict[str, Any]:
    """Traefik's file: gRPC, metrics and HTTP by their paths, each for everybody and for clients with a certificate."""
    pair = authority.pair("gateway", PUBLIC, "localhost", MUTUAL)
    paths = {"grpc": "PathPrefix(`/inference.`)", "metrics": "Path(`/metrics`)", "http": "PathPrefix(`/v2`)"}
    urls = {
        "grpc": f"h2c://{servers.grpc}",
        "metrics": f"http://{servers.metrics}",
        "http": f"http://{servers.http}",
    }
    routers = {}
    for name, path in paths.items():
        common = {"entryPoints": ["secure"], "service": name, "middlewares": ["token"]}
        routers[name] = {**common, "rule": path, "tls": {}}
        routers[f"{name}-mutual"] = {**common, "rule": f"Host(`{MUTUAL}`) && {path}", "tls": {"options": "mutual"}}
    checked = {"forwardAuth": {"address": f"http://127.0.0.1:{check_port}"}}
    files = {"certFile": str(pair.certificate), "keyFile": str(pair.key)}
    demanded = {"caFiles": [str(authority.ca)], "clientAuthType": "RequireAndVerifyClientCert"}
    return {
        "http": {
            "routers": routers,
            "middlewares": {"token": checked},
            "services": {name: {"loadBalancer": {"servers": [{"url": url}]}} for name, url in urls.items()},
        },
        "tls": {
            "stores": {"default": {"defaultCertificate": files}},
            "certificates": [files],
            "options": {"mutual": {"clientAuth": demanded}},
        },
    }


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _wait_until_it_checks(port: int, traefik: "subprocess.Popen[bytes]", authority: Authority) -> None:
    """Its port opens before it has read its routes and certificates: until then it has others."""
    context, end = ssl.create_default_context(cafile=str(authority.ca)), time.monotonic() + 60
    while True:
        assert traefik.poll() is None, "traefik has ended"
        connection = http.client.HTTPSConnection(PUBLIC, port, timeout=5, context=context)
        try:
            connection.request("GET", "/v2/health/ready")
            if connection.getresponse().status == 401:
                return
        except OSError:
            pass
        finally:
            connection.close()
        assert time.monotonic() < end, "traefik does not serve the routes"
        time.sleep(0.1)
