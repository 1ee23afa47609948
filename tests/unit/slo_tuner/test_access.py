"""How a guarded server is reached: addresses say TLS, options and environment are checked, secrets stay hidden."""

import argparse
import os
from pathlib import Path
from typing import Any

import pytest
from certificates import Authority, Pair

from command_line.errors import GeneratorError, UsageError
from slo_tuner.access.addresses import check_server, check_servers, check_use, default_control, may_show, read_protocol
from slo_tuner.access.client_access import Access
from slo_tuner.access.settings import read_access, read_tls
from slo_tuner.cli import main
from slo_tuner.load.messages import Assignment
from slo_tuner.load.payload import Payload
from slo_tuner.triton.endpoint import Endpoint

SECRET = "s3cr3t-t0ken"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def client(authority: Authority) -> Pair:
    return authority.pair("client")


@pytest.mark.parametrize(
    ("text", "protocol", "tls", "found"),
    [
        ("a:1", "grpc", False, "a:1"),
        ("a:1", "grpc", True, "grpcs://a:1"),
        ("a:1", "http", True, "https://a:1"),
        ("grpcs://a:1", "grpc", False, "grpcs://a:1"),
        ("grpcs://a", "grpc", False, "grpcs://a:443"),
        ("https://a/", "http", False, "https://a:443"),
        ("https://[::1]", "http", False, "https://[::1]:443"),
        ("http://a", "http", True, "a:80"),
        ("grpc://a:1", "grpc", True, "a:1"),
        ("dns:///a:1", "grpc", False, "dns:///a:1"),
        ("dns:///a:1", "grpc", True, "grpcs://a:1"),
    ],
)
def test_an_address_says_whether_it_is_behind_tls(text: str, protocol: str, tls: bool, found: str) -> None:
    assert check_server("address", text, protocol, tls) == found


@pytest.mark.parametrize(
    ("text", "protocol"),
    [
        ("https://a:1", "grpc"),
        ("grpcs://a:1", "http"),
        ("https://a/b", "http"),
        ("ftp://a:1", "http"),
        ("grpc://a", "grpc"),
    ],
)
def test_an_address_of_another_protocol_or_with_a_path_is_refused(text: str, protocol: str) -> None:
    with pytest.raises(UsageError, match="address: "):
        check_server("address", text, protocol)


def test_the_same_server_with_and_without_tls_is_given_once() -> None:
    with pytest.raises(UsageError, match="give each server once"):
        check_servers("address", "a:1,grpcs://a:1", "grpc")


def test_the_protocol_follows_from_the_address_and_the_control_address_from_it() -> None:
    assert read_protocol(None, ["https://a"]) == "http" and read_protocol(None, ["grpcs://a"]) == "grpc"
    assert read_protocol("http", ["a:1"]) == "http"
    assert default_control("https://a:443", "http") == "grpcs://a:443"
    assert default_control("a:8000", "http") == "a:8001"


def test_a_name_behind_tls_that_stands_for_several_servers_is_what_each_certificate_is_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("slo_tuner.triton.several._resolved", lambda host: ["10.0.0.1", "10.0.0.2"])
    found = Endpoint("grpcs://pods:8001", "grpcs://pods:8001", metrics_url="https://pods:8002/metrics").expanded()
    assert found.addresses == found.control_addresses == ("grpcs://10.0.0.1:8001", "grpcs://10.0.0.2:8001")
    assert found.server_names == ("pods", "pods")
    assert [part.url for part in found.metrics().parts] == [  # type: ignore[union-attr]
        "https://10.0.0.1:8002/metrics",
        "https://10.0.0.2:8002/metrics",
    ]
    assert {found.names[part.url] for part in found.metrics().parts} == {"pods"}  # type: ignore[union-attr]


def _options(**given: Any) -> argparse.Namespace:
    return argparse.Namespace(**given)


def test_an_option_wins_over_the_environment(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{SECRET}\n")
    environment = {"SLO_TUNER_SERVER_NAME": "there", "SLO_TUNER_TOKEN": "other", "SLO_TUNER_HEADERS": "x-a=1\nX-B= 2"}
    access = read_access(_options(server_name="here", token_file=tmp_path / "token", retries=True), environment)
    assert access.server_name == "here" and access.retries
    assert access.fields() == (("x-a", "1"), ("x-b", "2"), ("authorization", f"Bearer {SECRET}"))
    assert read_access(None, environment).fields()[-1] == ("authorization", "Bearer other")
    assert read_tls(None, {"SLO_TUNER_TLS": "true"}) and not read_tls(None, {})


def test_a_renewed_token_is_sent_from_then_on(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first")
    access = read_access(_options(token_file=file), {})
    file.write_text("second\n")
    assert access.fields() == (("authorization", "Bearer second"),)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"header": [f"x-key:{SECRET}"]}, "header: '(not shown)' is not allowed; write it as NAME=VALUE"),
        ({"header": [f"x-key={SECRET}\r"]}, "header: 'x-key' is not allowed; its value must be visible"),
        ({"header": [f"Host={SECRET}"]}, "header: 'host' is not allowed; the load sets this one itself"),
        ({"header": [f"grpc-timeout={SECRET}"]}, "header: 'grpc-timeout' is not allowed"),
        ({"header": [f"x-a={SECRET}", "X-A=2"]}, "header: 'x-a, x-a' is not allowed; give each header once"),
        ({"header": [f"x-a={SECRET * 1100}"]}, "header: '(not shown)' is not allowed; headers and token have"),
        ({"header": [f"authorization={SECRET}"]}, "header: 'authorization' is not allowed; a token is this header"),
    ],
)
def test_a_wrong_header_is_named_without_its_value(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as refused:
        read_access(_options(**given), {"SLO_TUNER_TOKEN": "t"})
    assert str(refused.value).startswith(message), str(refused.value)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("content", ["", f"{SECRET} {SECRET}", f"Bearer {SECRET}", "s3cr\xe9t", f"{SECRET};"])
def test_a_wrong_token_is_named_by_its_file_and_never_shown(content: str, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(content, encoding="latin-1")
    with pytest.raises(UsageError) as refused:
        read_access(_options(token_file=file), {})
    assert str(refused.value).startswith(f"token-file: '{file}' is not allowed; it ") and SECRET not in str(
        refused.value
    )
    with pytest.raises(UsageError) as refused:
        read_access(None, {"SLO_TUNER_TOKEN": f"{SECRET};"})
    assert "SLO_TUNER_TOKEN: '(not shown)'" in str(refused.value) and SECRET not in str(refused.value)


def test_files_for_tls_are_checked_before_anything_starts(authority: Authority, client: Pair, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no certificate")
    other = authority.pair("other")
    for given, message in (
        ({"ca": wrong}, f"ca: '{wrong}' is not allowed; give a file with certificates in PEM"),
        ({"ca": tmp_path / "none"}, "it can't be read (No such file or directory)"),
        (
            {"client_certificate": client.certificate},
            "client-key: '' is not allowed; a client certificate and its key go together",
        ),
        (
            {"client_key": client.key},
            "client-certificate: '' is not allowed; a client certificate and its key go together",
        ),
        (
            {"client_certificate": client.certificate, "client_key": other.key},
            f"it is not the key of {client.certificate}",
        ),
        ({"client_certificate": wrong, "client_key": client.key}, "in PEM, the key not encrypted"),
        ({"server_name": "a b"}, "server-name: 'a b' is not allowed"),
    ):
        with pytest.raises(UsageError) as refused:
            read_access(_options(**given), {})
        assert message in str(refused.value)
    found = read_access(_options(client_certificate=client.certificate, client_key=client.key, ca=authority.ca), {})
    assert (found.ca, found.certificate, found.key) == (authority.ca, client.certificate, client.key)


def test_a_token_never_crosses_a_public_network_readable() -> None:
    access = Access(token_value=SECRET)
    check_use(access, ["grpcs://8.8.8.8:443", "triton:8001", "127.0.0.1:8001", "http://triton:8002/metrics"])
    with pytest.raises(UsageError, match="a token would cross the network readable: add --tls"):
        check_use(access, ["8.8.8.8:8001"])
    assert may_show(access, "https://8.8.8.8/metrics") and may_show(access, "http://triton:8002/metrics")
    assert not may_show(access, "http://8.8.8.8/metrics")


def test_tls_files_for_a_plain_address_are_refused(authority: Authority) -> None:
    options = _options(ca=authority.ca)
    with pytest.raises(UsageError, match="no address is behind TLS"):
        check_use(read_access(options, {}), ["a:1", ""], options)


def test_a_workers_message_holds_no_secret_and_one_that_lacks_something_says_so(authority: Authority) -> None:
    access = Access(ca=authority.ca, headers=(("x-key", SECRET),), token_value=SECRET, retries=True)
    work = Assignment("grpc", "grpcs://a:1", 5.0, (Payload("m", 1, b"", b"", 0),), access=access)
    message = work.to_message()
    assert SECRET not in repr(message) and SECRET not in repr(access) and SECRET not in repr(work)
    own = Access(ca=Path("/elsewhere"), headers=access.headers, token_value="mine")
    found = Assignment.from_message(message, own)
    assert found.access == Access(Path("/elsewhere"), headers=access.headers, token_value="mine", retries=True)
    with pytest.raises(
        GeneratorError, match="the slo-tuner has a CA, a token, the header x-key, and this worker has none"
    ):
        Assignment.from_message(message, Access())


def test_a_child_gets_the_access_by_its_environment_alone(client: Pair, authority: Authority) -> None:
    access = Access(authority.ca, client.certificate, client.key, headers=(("a", "1"), ("b", "2")), token_value=SECRET)
    environment = access.environment({"SLO_TUNER_TOKEN_FILE": "/old", "PATH": os.environ["PATH"]})
    assert "SLO_TUNER_TOKEN_FILE" not in environment and environment["PATH"] == os.environ["PATH"]
    assert read_access(None, environment) == access


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--address=https://a", "--protocol=grpc"], "address: 'https://a' is not allowed; for grpc write it as"),
        (["--address=https://a", "--retries"], "retries: True is not allowed; the retry policy is gRPC's"),
        (["--repository=.", "--tls"], "tls: 'True' is not allowed; it is for a running server"),
        (["--repository=.", "--header=a=b"], "header: '(not shown)' is not allowed; it is for a running server"),
        (["--address=a:1", "--client-key=/k"], "client-certificate: '' is not allowed; a client certificate"),
    ],
)
def test_options_that_contradict_are_refused(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "config.pbtxt").touch()
    monkeypatch.chdir(tmp_path)
    assert main(["measure", "m", f"--output={tmp_path / 'out'}", *arguments]) == 2
    assert capsys.readouterr().err.startswith(f"slo-tuner: error: {message}")


@pytest.mark.parametrize("address", ["me:secret@localhost:1", "grpcs://me:secret@localhost:1", "ftp://me:secret@h:1"])
def test_a_password_in_an_address_is_refused_and_not_shown(address: str) -> None:
    with pytest.raises(UsageError) as refused:
        check_server("address", address, "grpc")
    assert "secret" not in str(refused.value)


def test_an_empty_address_is_refused_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["measure", "m", "--address="])
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("slo-tuner measure: error: --address: '' is not allowed; give a value")
