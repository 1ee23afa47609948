"""A bucket holds whole versions only, whatever interrupts an upload: on servers that speak S3 and Google's protocol."""

import signal
import subprocess
import sys
from pathlib import Path

import built
import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as pb

from model_repo_builder.bucket import Bucket
from model_repo_builder.errors import BuildError
from model_repo_builder.plan.schema import Variant
from model_repo_builder.repository import bucket_publish

pytestmark = pytest.mark.slow

# An upload of argv[2] that is killed before its object number argv[3].
KILLED = """
import os, signal, sys
from pathlib import Path
from model_repo_builder.bucket import Bucket
from model_repo_builder.repository import bucket_publish, manifest

left = int(sys.argv[3])
put = Bucket.upload
def counted(*arguments):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    put(*arguments)
Bucket.upload = counted
variant = Path(sys.argv[2])
bucket_publish.upload(Bucket("--output", sys.argv[1]), variant, manifest.read(variant))
"""

# Uploads each variant below argv[2] when it is told to, and says what came of it.
UPLOADER = """
import sys
from pathlib import Path
from model_repo_builder.bucket import Bucket
from model_repo_builder.errors import BuildError
from model_repo_builder.repository import bucket_publish, manifest

place = Bucket("--output", sys.argv[1])
for folder in sorted(Path(sys.argv[2]).iterdir()):
    variant = folder / "fast"
    made = manifest.read(variant)
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        print("published", bucket_publish.upload(place, variant, made), flush=True)
    except BuildError as error:
        print(error, flush=True)
"""

# What a build is told whose files another one has written first: with its last file, or with one before.
LOST = ("another build published version", "was written by another process")


@pytest.fixture
def variant() -> Variant:
    """The variant that these tests publish."""
    return Variant(name="fast", engine="onnxruntime")


class Publisher:
    """Publishes variants made of two texts, and counts what is uploaded."""

    def __init__(self, url: str, folder: Path, variant: Variant) -> None:
        self.bucket = Bucket("--output", url)
        self.folder = folder
        self.variant = variant
        self.uploaded: list[str] = []
        self.fails_at = 0
        self.put = self.bucket.upload
        self.bucket.upload = self._counted  # type: ignore[method-assign]

    def publish(self, artefact: str, settings: str) -> int | None:
        """The version that these texts got."""
        made = built.write(self.folder, self.variant, artefact, settings)
        self.uploaded.clear()
        return bucket_publish.upload(self.bucket, self.folder / self.variant.name, made)

    def _counted(self, source: Path, path: str) -> None:
        self.uploaded.append(path)
        if len(self.uploaded) == self.fails_at:
            raise BuildError("the connection broke")
        self.put(source, path)


@pytest.fixture
def publisher(url: str, tmp_path: Path, variant: Variant) -> Publisher:
    """Publishes into a place of its own."""
    return Publisher(url, tmp_path, variant)


def seen(place: Bucket) -> tuple[str, str, str]:
    """What Triton would load now: artefact, model.py and labels of the one version that config.pbtxt asks for.

    The row of the warm-up is that of the labels.
    """
    config = text_format.Parse((place.read("fast/config.pbtxt") or b"").decode(), pb.ModelConfig())
    (version,) = config.version_policy.specific.versions
    paths = (f"{version}/model.onnx", f"{version}/model.py", config.output[0].label_filename)
    contents = [place.read(f"fast/{path}") for path in paths]
    assert None not in contents, "a version is chosen that is not whole"
    assert place.read(f"fast/warmup/{config.model_warmup[0].inputs['image'].input_data_file}") == contents[-1]
    return tuple((content or b"").decode() for content in contents)  # type: ignore[return-value]


def test_a_published_variant_is_whole(publisher: Publisher) -> None:
    assert publisher.publish("graph", "settings") == 1
    assert seen(publisher.bucket) == ("graph", "settings", "settings")


def test_what_is_there_already_is_not_uploaded_again(publisher: Publisher) -> None:
    publisher.publish("graph", "settings")
    assert publisher.publish("graph", "settings") is None
    assert publisher.uploaded == []


def test_changed_settings_are_uploaded_without_the_artefact(publisher: Publisher) -> None:
    publisher.publish("graph", "old")
    assert publisher.publish("graph", "new") == 2
    assert seen(publisher.bucket) == ("graph", "new", "new")
    assert not [path for path in publisher.uploaded if path.endswith("model.onnx")]


def test_the_version_before_stays_for_readers_and_older_ones_go(publisher: Publisher) -> None:
    for number in range(1, 4):
        publisher.publish(f"graph {number}", f"settings {number}")
    files = {path if path.startswith("warmup/") else path.split("/")[0] for path in publisher.bucket.files("fast")}
    kept = {"labels.2.txt", "labels.3.txt", "warmup/2.row0.input0", "warmup/3.row0.input0"}
    assert files == {"2", "3", "config.pbtxt", *kept}


@pytest.fixture
def alias(publisher: Publisher) -> Path:
    """The configuration of the variant's alias."""
    path = publisher.folder / "fast" / "1" / "alias" / "tiny" / "config.pbtxt"
    path.parent.mkdir(parents=True)
    path.write_text("alias")
    return path


def test_the_alias_keeps_its_path_whatever_version_is_chosen(publisher: Publisher, alias: Path) -> None:
    for number in range(1, 4):
        alias.write_text(f"alias {number}")
        publisher.publish(f"graph {number}", "")
    assert publisher.bucket.read("fast/1/alias/tiny/config.pbtxt") == b"alias 3"


def test_an_alias_that_an_upload_did_not_reach_is_renewed_by_the_next(publisher: Publisher, alias: Path) -> None:
    publisher.publish("graph", "settings")
    publisher.bucket.write("fast/1/alias/tiny/config.pbtxt", b"old alias")
    assert publisher.publish("graph", "settings") is None
    assert publisher.bucket.read("fast/1/alias/tiny/config.pbtxt") == b"alias"


def test_an_alias_that_the_plan_has_no_more_is_removed(publisher: Publisher, alias: Path) -> None:
    publisher.publish("graph", "settings")
    alias.unlink()
    publisher.publish("graph", "other settings")
    assert not [path for path in publisher.bucket.files("fast") if "alias" in path]


def test_a_config_that_cannot_be_read_is_named(publisher: Publisher) -> None:
    publisher.bucket.write("fast/config.pbtxt", b"name: ")
    with pytest.raises(BuildError, match=r"--output: .*/fast/config\.pbtxt \(line 1:.*; allowed: a ModelConfig"):
        publisher.publish("graph", "settings")


@pytest.mark.parametrize("moment", [1, 2, 3])
def test_a_broken_upload_leaves_the_old_version_and_the_next_one_completes_it(
    publisher: Publisher, moment: int
) -> None:
    publisher.publish("old", "old")
    publisher.fails_at = moment
    with pytest.raises(BuildError, match="the connection broke"):
        publisher.publish("new", "new")
    assert seen(publisher.bucket) == ("old", "old", "old")
    assert not [path for path in publisher.bucket.files("fast") if "2" in path], "nothing half-done is left"
    publisher.fails_at = 0
    assert publisher.publish("new", "new") == 2
    assert seen(publisher.bucket) == ("new", "new", "new")


def test_kill_9_in_the_middle_of_an_upload_leaves_the_old_version(s3: str, tmp_path: Path, variant: Variant) -> None:
    publisher = Publisher(s3, tmp_path, variant)
    publisher.publish("old", "old")
    built.write(tmp_path, variant, "new", "new")
    command = [sys.executable, "-c", KILLED, s3, str(tmp_path / "fast"), "2"]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert len([path for path in publisher.bucket.files("fast") if path.startswith("2/")]) == 2
    assert seen(publisher.bucket) == ("old", "old", "old")
    assert publisher.publish("new", "new") == 3, (
        "the number of the killed one may be in use: nobody knows that it ended"
    )
    assert seen(publisher.bucket) == ("new", "new", "new")
    assert not [path for path in publisher.bucket.files("fast") if path.startswith("2/")]


@pytest.mark.parametrize("moment", [1, 2, 3])
@pytest.mark.parametrize("first", [True, False], ids=["first version", "later version"])
def test_an_upload_that_another_one_overtakes_says_so_and_leaves_nothing(
    publisher: Publisher, tmp_path: Path, variant: Variant, moment: int, first: bool
) -> None:
    other = Publisher(publisher.bucket.url, tmp_path / "other", variant)
    if not first:
        publisher.publish("old", "old")

    def overtaken(source: Path, path: str) -> None:
        if len(publisher.uploaded) == moment - 1:
            other.publish("other", "other")
        publisher.uploaded.append(path)
        publisher.put(source, path)

    publisher.bucket.upload = overtaken  # type: ignore[method-assign]
    with pytest.raises(BuildError, match=r"/fast \(another build published version \d meanwhile\); allowed: one build"):
        publisher.publish("mine", "mine")
    assert seen(publisher.bucket) == ("other", "other", "other")
    assert len(publisher.bucket.files("fast")) == (6 if first else 11), "two whole versions and their config.pbtxt"
    publisher.bucket.upload = publisher.put  # type: ignore[method-assign]
    publisher.publish("mine", "mine")
    assert seen(publisher.bucket) == ("mine", "mine", "mine")


def test_two_builds_that_upload_at_once_leave_a_whole_version_of_one_of_them(
    url: str, tmp_path: Path, variant: Variant
) -> None:
    """Two processes, begun at the same moment, in several rounds; one of each round at least is told."""
    rounds = 4
    for name in ("one", "two"):
        for number in range(rounds):
            built.write(tmp_path / name / str(number), variant, f"{name} {number}", f"{name} {number}")
    command = [sys.executable, "-c", UPLOADER, url]
    uploaders = [
        subprocess.Popen([*command, tmp_path / name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for name in ("one", "two")
    ]
    place, ends = Bucket("--output", url), []
    try:
        for number in range(rounds):
            assert [_line(uploader) for uploader in uploaders] == ["ready", "ready"]
            for uploader in uploaders:
                assert uploader.stdin is not None
                uploader.stdin.write("go\n")
                uploader.stdin.flush()
            answers = [_line(uploader) for uploader in uploaders]
            artefact, *settings = seen(place)
            assert artefact in (f"one {number}", f"two {number}") and settings == [artefact, artefact]
            for name, answer in zip(("one", "two"), answers, strict=True):
                assert answer.startswith("published") or any(reason in answer for reason in LOST), answer
                assert answer.startswith("published") or not artefact.startswith(name), "it was told that it lost"
            ends += answers
    finally:
        for uploader in uploaders:
            uploader.kill()
            uploader.communicate()
    assert any(reason in answer for answer in ends for reason in LOST), "they never met: nothing was tested"


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_what_an_interrupted_upload_left_is_not_mixed_into_the_next(publisher: Publisher) -> None:
    publisher.publish("old", "old")
    publisher.bucket.write("fast/2/leftover.bin", b"half")
    publisher.publish("new", "new")
    assert "2/leftover.bin" not in publisher.bucket.files("fast")


def test_a_variant_of_the_bucket_becomes_a_local_one(publisher: Publisher, tmp_path: Path) -> None:
    publisher.publish("graph", "old")
    publisher.publish("graph", "settings")
    present = bucket_publish.published(publisher.bucket, "fast")
    assert present is not None
    bucket_publish.download(publisher.bucket, "fast", present, tmp_path / "copy")
    files = {path.name: path.read_text() for path in (tmp_path / "copy" / "fast").rglob("*") if path.is_file()}
    assert (files["model.onnx"], files["model.py"], files["labels.txt"]) == ("graph", "settings", "settings")
    assert sorted(files) == ["config.pbtxt", "labels.txt", "manifest.json", "model.onnx", "model.py", "row0.input0"]
