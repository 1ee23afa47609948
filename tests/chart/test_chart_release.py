"""A release of the charts: images by digest, annotations for Artifact Hub, and a provenance that shows any change."""

import base64
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import chart_images
import chart_package
import chart_publish
import chart_signing
import pytest
import yaml
from cases import PLAN
from registry import serve_registry
from render import ROOT, one, render
from umbrella import stand_in

DIGEST = "sha256:" + "0123456789abcdef" * 4
OWN = ("triton-cpu", "model-builder", "tfserving-front", "locust")
GIVEN = [f"{name}=registry.example.com/product/{name}@{DIGEST}" for name in OWN]
CHARTS = sorted(path.parent for path in (ROOT / "charts").glob("*/Chart.yaml"))


def annotation(chart: Path, name: str) -> list[dict[str, str]]:
    about = yaml.safe_load((chart / "Chart.yaml").read_text(encoding="utf-8"))
    return list(yaml.safe_load(about["annotations"].get(f"artifacthub.io/{name}", "[]")))


def images_of(pod: dict) -> set[str]:
    return {one["image"] for one in pod["containers"] + pod.get("initContainers", [])}


def asked(chart: Path) -> set[str]:
    """Every image that the chart's Pods may have, with its own values and as a server without a GPU."""
    found = set()
    plan = {"modelRepository": {"source": "builder", "builder": {"plan": PLAN}}, "tfservingFront": {"enabled": True}}
    for values in (plan, {**plan, "presets": ["cpu"]}):
        manifests = render(values, chart=chart)
        found |= images_of(one(manifests, "Deployment")["spec"]["template"]["spec"])
        found |= images_of(one(manifests, "Pod", "-test")["spec"])
    return found


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Triton chart as a release packages it."""
    folder = tmp_path_factory.mktemp("released")
    shutil.copytree(ROOT / "charts/triton", folder / "triton")
    chart_images.pin(folder / "triton", chart_images.parse(GIVEN))
    return folder / "triton"


def test_artifact_hub_is_told_every_image_that_the_chart_may_run() -> None:
    chart = ROOT / "charts/triton"
    assert {image["image"] for image in annotation(chart, "images")} == asked(chart)


def test_a_release_asks_for_each_image_of_the_product_by_its_digest(released: Path) -> None:
    own = {image for image in asked(released) if not image.startswith("nvcr.io/")}
    assert own == {f"registry.example.com/product/{name}@{DIGEST}" for name in OWN}
    assert {image["image"] for image in annotation(released, "images")} == asked(released)


def test_presets_replace_a_server_s_image_that_a_release_pins(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "charts/triton", tmp_path / "triton")
    chart_images.pin(tmp_path / "triton", chart_images.parse([f"tritonserver=mirror.example/nvidia/server@{DIGEST}"]))
    plan = {"modelRepository": {"source": "builder", "builder": {"plan": PLAN}}}
    for presets, image in (([], f"mirror.example/nvidia/server@{DIGEST}"), (["cpu"], "triton-cpu:0.1.0")):
        pod = one(render({**plan, "presets": presets}, chart=tmp_path / "triton"), "Deployment")["spec"]["template"]
        assert [server["image"] for server in pod["spec"]["containers"]] == [image]


@pytest.mark.parametrize("name", ["triton", "locust"])
def test_nothing_else_of_the_values_changes(name: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "charts" / name, tmp_path / name)
    chart_images.pin(tmp_path / name, chart_images.parse(GIVEN))
    before, after = ((base / name / "values.yaml").read_text().splitlines() for base in (ROOT / "charts", tmp_path))
    changed = {left.strip().partition(":")[0] for left, right in zip(before, after, strict=True) if left != right}
    assert changed == {"registry", "digest"}


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.name)
def test_annotations_are_those_that_artifact_hub_reads(chart: Path) -> None:
    kinds = {"added", "changed", "deprecated", "removed", "fixed", "security"}
    changes = annotation(chart, "changes")
    assert changes
    assert {change["kind"] for change in changes} <= kinds
    assert all(link["url"].startswith("https://") and link["name"] for link in annotation(chart, "links"))


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--image", "locust"], "--image is locust: NAME=REGISTRY/PATH/REPOSITORY@sha256:DIGEST is allowed"),
        (["--image", f"other=a/b@{DIGEST}"], "--image names other, which no chart has"),
        (["--images", "absent.txt"], "[Errno 2] No such file or directory: 'absent.txt'"),
        (["--sign-by-environment"], "CHART_KEY is empty: packages can't be signed"),
        (["--dependencies", "absent"], "absent lacks kube-prometheus-stack-"),
    ],
)
def test_what_can_not_be_packaged_ends_with_one_line_and_leaves_nothing(
    arguments: list[str], reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert chart_package.main(["--output", str(tmp_path / "out"), *arguments]) == 1
    said = capsys.readouterr().err
    assert said.startswith(reason) and said.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"CHART_KEY": "Charts"}, "CHART_KEYRING is empty"),
        ({"CHART_KEY": "Charts", "CHART_KEYRING": "no base64!"}, "CHART_KEYRING is no base64"),
    ],
)
def test_a_key_that_a_workflow_does_not_give_is_named(environment: dict[str, str], reason: str) -> None:
    with pytest.raises(ValueError, match=reason), chart_signing.of_environment(environment):
        raise AssertionError("nothing is signed")


@pytest.mark.external
def test_a_workflow_s_secrets_sign(signature: chart_package.Signature, tmp_path: Path) -> None:
    secret = base64.encodebytes(signature.keyring.read_bytes()).decode()
    environment = {"CHART_KEY": "Charts", "CHART_KEYRING": secret, "CHART_KEY_URL": signature.public_key_url}
    with chart_signing.of_environment(environment) as given:
        chart_package.run_helm("package", ROOT / "charts/locust", "--destination", tmp_path, *given.options)
        assert (given.fingerprint, given.passphrase_file) == (signature.fingerprint, None)
    assert not given.keyring.exists()
    (archive,) = tmp_path.glob("*.tgz")
    chart_package.run_helm("verify", archive, "--keyring", signature.keyring.with_name("public.gpg"))


# A key for this test alone, made by gpg in a directory of its own.
@pytest.fixture(scope="module")
def signature(tmp_path_factory: pytest.TempPathFactory) -> Iterator[chart_package.Signature]:
    """A secret key without a passphrase, in the old form that Helm reads; its public half is beside it."""
    home = tmp_path_factory.mktemp("keys")
    home.chmod(0o700)
    gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet"]
    try:
        new = [*gpg, "--passphrase", "", "--quick-generate-key", "Charts <charts@example.com>", "rsa2048", "sign"]
        subprocess.run(new, check=True, capture_output=True)
        for what, file in (("--export-secret-keys", "secret.gpg"), ("--export", "public.gpg")):
            subprocess.run([*gpg, "--output", str(home / file), what], check=True, capture_output=True)
        url = "https://charts.example.com/key.asc"
        yield chart_package.Signature("Charts", home / "secret.gpg", public_key_url=url)
    finally:
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False, capture_output=True)


@pytest.fixture(scope="module")
def signed(signature: chart_package.Signature, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The signed packages of a release."""
    folder = tmp_path_factory.mktemp("signed")
    chart_package.run_helm("package", stand_in(folder / "stand-in"), "--destination", folder / "downloaded")
    return chart_package.package(
        folder / "out", folder / "downloaded", images=chart_images.parse(GIVEN), signature=signature
    )


@pytest.mark.external
def test_what_is_pulled_from_a_registry_is_verified_by_the_public_key(
    signed: list[Path], signature: chart_package.Signature, tmp_path: Path
) -> None:
    public = signature.keyring.with_name("public.gpg")
    with serve_registry(tmp_path / "registry") as registry:
        for reference in chart_publish.publish(signed, f"oci://{registry}/charts", plain_http=True):
            name, _, version = reference.rpartition(":")
            pull = ["pull", name, "--version", version, "--plain-http", "--destination", tmp_path]
            chart_package.run_helm(*pull, "--verify", "--keyring", public)
        # It is installed as the first line of the documents says, and verified while it is.
        chart = f"oci://{registry}/charts/triton"
        plan = tmp_path / "plan.yaml"
        plan.write_text(PLAN)
        shown = chart_package.run_helm(
            "template", "triton", chart, "--plain-http", "--verify", "--keyring", public,
            "--set", "presets={cpu}", "--set-file", f"modelRepository.builder.plan={plan}",
        )  # fmt: skip
    assert f"registry.example.com/product/triton-cpu@{DIGEST}" in shown


@pytest.mark.external
def test_artifact_hub_is_told_the_key(signed: list[Path], tmp_path: Path) -> None:
    for archive in signed:
        shutil.unpack_archive(archive, tmp_path, "gztar")
        chart = tmp_path / archive.name.rpartition("-")[0]
        key = yaml.safe_load(
            yaml.safe_load((chart / "Chart.yaml").read_text())["annotations"]["artifacthub.io/signKey"]
        )
        assert len(key["fingerprint"]) == 40
        assert key["url"] == "https://charts.example.com/key.asc"


@pytest.mark.external
def test_a_package_that_was_changed_is_refused(
    signed: list[Path], signature: chart_package.Signature, tmp_path: Path
) -> None:
    public = signature.keyring.with_name("public.gpg")
    changed = Path(shutil.copy(signed[0], tmp_path))
    shutil.copy(f"{signed[0]}.prov", tmp_path)
    chart_package.run_helm("verify", changed, "--keyring", public)
    changed.write_bytes(changed.read_bytes() + b"\0")
    with pytest.raises(chart_package.PackagingError, match="sha256 sum does not match"):
        chart_package.run_helm("verify", changed, "--keyring", public)
