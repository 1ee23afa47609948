"""A place in a bucket is read with what it holds now, and every reason why it can't be used is one line."""

from pathlib import Path

import pytest

from model_repo_builder import bucket
from model_repo_builder.bucket import Bucket
from model_repo_builder.cli import main
from model_repo_builder.errors import InvalidError
from model_repo_builder.sources import bucket as bucket_source

pytestmark = pytest.mark.slow

# No server listens on this port.
NOBODY = "http://127.0.0.1:1"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache of this machine, empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    bucket_source.fetch.cache_clear()
    return tmp_path / "cache"


@pytest.mark.usefixtures("cache")
def test_a_remote_savedmodel_is_downloaded_again_only_when_it_changed(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Bucket("model.source", url)
    place.write("saved_model.pb", b"graph")
    place.write("variables/variables.index", b"index")
    folder = bucket_source.fetch(url)
    assert (folder / "variables" / "variables.index").read_bytes() == b"index"
    downloads: list[str] = []
    real = Bucket.download
    monkeypatch.setattr(Bucket, "download", lambda *args: (downloads.append(args[1]), real(*args)))
    bucket_source.fetch.cache_clear()
    assert (bucket_source.fetch(url), downloads) == (folder, [])
    place.write("saved_model.pb", b"other graph")
    bucket_source.fetch.cache_clear()
    assert (bucket_source.fetch(url) / "saved_model.pb").read_bytes() == b"other graph"


def test_a_remote_source_without_a_savedmodel_is_refused(url: str) -> None:
    with pytest.raises(InvalidError, match=r"model\.source: .* holds no saved_model\.pb; allowed: a SavedModel"):
        bucket_source.check(url)


def failure(capsys: pytest.CaptureFixture[str], plan_file: Path, output: str, status: int = 1) -> str:
    """The one line on stderr of a build that can't be published."""
    assert main(["build", str(plan_file), "--output", output]) == status
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    return lines[0].removeprefix("model-repo-builder: error: ")


@pytest.fixture
def plan_file() -> Path:
    """A plan that is not reached."""
    return Path(__file__).parents[2] / "plans" / "tiny.yaml"


@pytest.mark.usefixtures("s3")
def test_a_bucket_that_is_missing_is_named(plan_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = failure(capsys, plan_file, "s3://absent/models")
    assert line.startswith("--output: s3://absent/models (FileNotFoundError: The specified bucket does not exist)")


def test_missing_credentials_are_named(
    s3: str, plan_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "absent"))
    assert "(NoCredentialsError: Unable to locate credentials)" in failure(capsys, plan_file, s3)


def test_an_endpoint_that_cannot_be_reached_is_named(
    s3: str, plan_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", NOBODY)
    assert f'Could not connect to the endpoint URL: "{NOBODY}' in failure(capsys, plan_file, s3)


@pytest.mark.parametrize("output", ["s3://", "s3:///models", "ftp://host/models"])
def test_a_url_that_is_no_place_in_a_bucket_is_refused(
    plan_file: Path, capsys: pytest.CaptureFixture[str], output: str
) -> None:
    assert failure(capsys, plan_file, output, 2) == f"--output: {output}; allowed: {bucket.ALLOWED}"


def test_a_client_that_is_not_installed_is_named(
    plan_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bucket.importlib.util, "find_spec", lambda name: None)
    line = failure(capsys, plan_file, "gs://bucket/models", 2)
    assert line == "--output: gs://bucket/models (gcsfs is not installed); allowed: pip install gcsfs, or a directory"
