"""A place in a bucket is read with what it holds now, and every reason why it can't be used is one line."""

import signal
import subprocess
import sys
from pathlib import Path

import boto3
import pytest

from model_repo_builder import bucket
from model_repo_builder.bucket import Bucket, ConflictError
from model_repo_builder.bucket_cache import cached, held
from model_repo_builder.cli import main
from model_repo_builder.errors import BuildError, InvalidError
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


READER = """
import sys
from model_repo_builder.sources import bucket

folder = bucket.fetch(sys.argv[1])
print(folder, flush=True)
sys.stdin.readline()
print((folder / "saved_model.pb").read_text(), flush=True)
"""
# Dies while it downloads its second object.
KILLED_READER = """
import os, signal, sys
from model_repo_builder.bucket import Bucket
from model_repo_builder.sources import bucket

real = Bucket.download
def download(self, path, target):
    if target.parent.is_dir():
        os.kill(os.getpid(), signal.SIGKILL)
    real(self, path, target)
Bucket.download = download
bucket.fetch(sys.argv[1])
"""


def savedmodel(url: str, text: str) -> Bucket:
    """A place that holds a SavedModel in three objects."""
    place = Bucket("model.source", url)
    for name in ("assets/vocabulary.txt", "saved_model.pb", "variables/variables.index"):
        place.write(name, text.encode())
    return place


def texts(folder: Path) -> list[str]:
    """The content of every file of a directory."""
    return [path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()]


def reader(url: str) -> "subprocess.Popen[str]":
    """Another process that downloads a SavedModel and reads it later."""
    command = [sys.executable, "-c", READER, url]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.mark.usefixtures("cache")
def test_several_processes_that_download_at_once_all_get_the_whole(url: str) -> None:
    savedmodel(url, "graph")
    readers = [reader(url) for _ in range(3)]
    answers = [one.communicate("go\n", timeout=60)[0].splitlines() for one in readers]
    assert len({folder for folder, _ in answers}) == 1 and [text for _, text in answers] == ["graph"] * 3
    assert texts(Path(answers[0][0])) == ["graph"] * 3


@pytest.mark.usefixtures("cache")
def test_a_copy_that_another_process_reads_stays_when_the_bucket_changes_and_goes_afterwards(url: str) -> None:
    savedmodel(url, "old")
    with reader(url) as other:
        assert other.stdout is not None
        before = Path(other.stdout.readline().strip())
        savedmodel(url, "new")
        assert texts(bucket_source.fetch(url)) == ["new"] * 3
        assert other.communicate("go\n", timeout=60)[0] == "old\n"
    savedmodel(url, "newest")
    bucket_source.fetch.cache_clear()
    bucket_source.fetch(url)
    assert not before.exists()


def test_a_download_that_is_killed_leaves_nothing_half_done(url: str, cache: Path) -> None:
    savedmodel(url, "graph")
    killed = subprocess.run([sys.executable, "-c", KILLED_READER, url], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert [path.name for path in cache.glob("*/sources/*/*")] == ["partial"]
    assert texts(bucket_source.fetch(url)) == ["graph"] * 3
    assert "partial" not in [path.name for path in cache.glob("*/sources/*/*")]


@pytest.mark.usefixtures("cache")
def test_a_bucket_that_changes_during_the_download_is_named(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place = savedmodel(url, "graph")
    real = Bucket.download

    def changing(self: Bucket, path: str, target: Path) -> None:
        real(self, path, target)
        place.write("saved_model.pb", b"other")

    monkeypatch.setattr(Bucket, "download", changing)
    with pytest.raises(BuildError, match=r"^model\.source: .* changed while it was downloaded; allowed: a finished"):
        bucket_source.fetch(url)


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize(
    "key", ["../escaped", "variables/../../../escaped", "/escaped", "a//b", "./a", "a\\..\\escaped", "a/.."]
)
def test_an_object_whose_key_is_no_path_below_the_model_is_refused_by_name(s3: str, tmp_path: Path, key: str) -> None:
    savedmodel(s3, "graph")
    prefix = s3.removeprefix("s3://models/")
    boto3.client("s3").put_object(Bucket="models", Key=f"{prefix}/{key}", Body=b"escaped")
    with pytest.raises(InvalidError) as raised:
        bucket_source.fetch(s3)
    assert str(raised.value) == f"model.source: {s3} holds the object {key!r}; allowed: {bucket.PATHS}"
    assert not list(tmp_path.rglob("*escaped*"))


@pytest.mark.usefixtures("cache")
def test_empty_objects_that_show_folders_are_no_files(s3: str) -> None:
    savedmodel(s3, "graph")
    prefix = s3.removeprefix("s3://models/")
    for name in ("", "variables/", "assets/"):
        boto3.client("s3").put_object(Bucket="models", Key=f"{prefix}/{name}", Body=b"")
    assert texts(bucket_source.fetch(s3)) == ["graph"] * 3


def test_a_cache_that_cannot_be_written_to_is_named(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    bucket_source.fetch.cache_clear()
    with pytest.raises(BuildError, match=r"^model\.source: .* \(Not a directory\); allowed: a cache that can be writ"):
        bucket_source.fetch(url)


def test_a_second_build_into_one_bucket_on_this_machine_is_refused(
    s3: str, cache: Path, plan_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert str(cached(s3)).startswith(str(cache))
    with held(cached(s3), "--output"):
        line = failure(capsys, plan_file, s3, 2)
    assert line == f"--output: {s3} is being built by another process of this machine; allowed: one build"


def test_an_object_is_created_once_and_replaced_only_as_it_was_seen(url: str) -> None:
    place = Bucket("--output", url)
    assert place.tag("x") is None
    place.create("x", b"first")
    with pytest.raises(ConflictError, match=r"^--output: .*/x was written by another process; allowed: one at a time"):
        place.create("x", b"second")
    seen = place.tag("x")
    place.replace("x", b"third", seen)
    with pytest.raises(ConflictError):
        place.replace("x", b"fourth", seen)
    assert place.read("x") == b"third"
    seen = place.tag("x")
    place.remove("x")
    with pytest.raises(ConflictError):
        place.replace("x", b"fifth", seen)
    place.remove("x")


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
    assert failure(capsys, plan_file, output, 2) == f"--output: {output}; allowed: {bucket.ALLOWED}, or a directory"


def test_a_client_that_is_not_installed_is_named(
    plan_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    find = bucket.importlib.util.find_spec
    monkeypatch.setattr(bucket.importlib.util, "find_spec", lambda name: None if name == "gcsfs" else find(name))
    line = failure(capsys, plan_file, "gs://bucket/models", 2)
    allowed = "pip install 'tensorflow-inference-system[gs]', or a directory"
    assert line == f"--output: gs://bucket/models (gcsfs is not installed); allowed: {allowed}"
