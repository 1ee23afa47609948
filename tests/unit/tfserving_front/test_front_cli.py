"""Wrong options of tfserving-front end it before it listens, with one line that names them."""

import socket

import pytest

from tfserving_front.cli import main


@pytest.mark.parametrize(
    ("argument", "field"),
    [
        ("--triton=localhost", "triton: 'localhost'"),
        ("--triton=http://a:1", "triton: 'http://a:1'"),
        ("--port=70000", "port: '70000'"),
        ("--port=-1", "port: '-1'"),
        ("--timeout-s=0", "timeout-s: '0'"),
        ("--max-request-megabytes=no", "max-request-megabytes: 'no'"),
        ("--max-in-flight=1.5", "max-in-flight: '1.5'"),
    ],
)
def test_a_wrong_option_is_named(argument: str, field: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([argument]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"tfserving-front: error: {field} is not allowed; ")


def test_a_taken_port_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["--host=127.0.0.1", f"--port={port}"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"tfserving-front: error: cannot listen on 127.0.0.1:{port}: Address already in use")
