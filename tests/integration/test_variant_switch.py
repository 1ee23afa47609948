"""Switching the variant under load, as docs/how-to/reliability.md says: by an alias, or variant by variant."""

import time

import pytest
from answers import ask, close
from choices import server
from records import Records
from release import Release
from steady import under_every_client

OLD, NEW = "onnx_fp32", "onnx_int8"
# The name of the model of plans/tiny.yaml.
ALIAS = "tiny"


@pytest.fixture(scope="module")
def release(namespace: str, images: dict[str, str]) -> Release:
    """One server of the old variant: revision 1."""
    installed = Release(namespace)
    installed.install(server(images, models=[OLD]), ["cpu"])
    return installed


def _install(release: Release, images: dict[str, str], models: list[str]) -> None:
    before = release.ready_pods()
    release.install(server(images, models=models), ["cpu"])
    release.settle(1, without=before)


def test_switching_the_variant_and_rolling_back_fail_no_request(
    release: Release, images: dict[str, str], records: Records
) -> None:
    namespace, client = release.namespace, images["locust"]

    with under_every_client(release, client, "load-old", OLD) as load:
        started = time.monotonic()
        _install(release, images, [OLD, NEW])
        took_s = time.monotonic() - started
    records.add("upgrade that adds a variant", took_s, load.report)
    assert load.failed == {}

    with under_every_client(release, client, "load-new", NEW) as load:
        started = time.monotonic()
        _install(release, images, [NEW])
        took_s = time.monotonic() - started
        found = ask(namespace, client, release.name, NEW)
        assert found["http"]["model"] == found["grpc"]["model"] == NEW
        with pytest.raises(AssertionError, match=f"unknown model: '{OLD}'"):
            ask(namespace, client, release.name, OLD)
    records.add("upgrade that takes the old variant away", took_s, load.report)
    assert load.failed == {}

    with under_every_client(release, client, "load-back", NEW) as load:
        started, before = time.monotonic(), release.ready_pods()
        release.roll_back(2)
        release.settle(1, without=before)
        took_s = time.monotonic() - started
        assert ask(namespace, client, release.name, OLD)["grpc"]["model"] == OLD
    records.add("rollback to both variants", took_s, load.report)
    assert load.failed == {}


def test_one_upgrade_switches_every_client_of_the_alias_and_fails_no_request(
    release: Release, images: dict[str, str], records: Records
) -> None:
    namespace, client = release.namespace, images["locust"]
    values = server(images, {"modelRepository": {"alias": ALIAS}})
    del values["modelRepository"]["models"]  # values/VARIANT.yaml names it

    def choose(variant: str) -> None:
        before = release.ready_pods()
        release.install(values, ["cpu", variant])
        release.settle(1, without=before)

    def answer() -> list[float]:
        return list(ask(namespace, client, release.name, ALIAS)["grpc"]["output"])

    choose(OLD)
    old = answer()
    with under_every_client(release, client, "load-alias", ALIAS) as load:
        started = time.monotonic()
        choose(NEW)
        took_s = time.monotonic() - started
    records.add("upgrade that switches the alias", took_s, load.report)
    assert load.failed == {}
    assert not close(answer(), old)
