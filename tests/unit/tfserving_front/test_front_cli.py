"""Wrong options of tfserving-front end it before it listens, with one line that names them."""

import socket

import pytest

from tfserving_front.cli import _listen, main


@pytest.mark.parametrize(
    ("argument", "field"),
    [
        ("--triton=localhost", "triton: 'localhost'"),
        ("--triton=http://a:1", "triton: 'http://a:1'"),
        ("--port=70000", "port: '70000'"),
        ("--port=-1", "port: '-1'"),
        ("--port=²", "port: '²'"),
        ("--host=a..b", "host: 'a..b'"),
        (f"--host={'a' * 64}.example", "host: 'aaa"),
        (f"--triton={'a' * 64}.example:8001", "triton: 'aaa"),
        ("--triton=a b:8001", "triton: 'a b:8001'"),
        ("--timeout-s=0", "timeout-s: '0'"),
        ("--max-request-megabytes=no", "max-request-megabytes: 'no'"),
        ("--max-in-flight=1.5", "max-in-flight: '1.5'"),
        ("--max-answer-megabytes=-1", "max-answer-megabytes: '-1'"),
        ("--triton=::1:8001", "triton: '::1:8001'"),
    ],
)
def test_a_wrong_option_is_named(argument: str, field: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([argument]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"tfserving-front: error: {field}") and " is not allowed; " in line


def test_a_taken_port_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["--host=127.0.0.1", f"--port={port}"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"tfserving-front: error: cannot listen on 127.0.0.1:{port}: Address already in use")


@pytest.mark.parametrize("host", ["::1", "127.0.0.1", "*"])
def test_ipv4_and_ipv6_addresses_can_be_listened_on(host: str) -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    with _listen(host, "0") as listener:
        port = listener.getsockname()[1]
        for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            if host in ("*", address):
                with socket.socket(family) as client:
                    client.settimeout(10)
                    client.connect((address, port))


def test_an_address_of_another_machine_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--host=2001:db8::1", "--port=0"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("tfserving-front: error: cannot listen on [2001:db8::1]:0: ")
