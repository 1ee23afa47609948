"""A build whose output is object storage: made in this machine's cache, then uploaded where it differs."""

from __future__ import annotations

from pathlib import Path

from model_repo_builder.bucket import Bucket
from model_repo_builder.bucket_cache import cached, held
from model_repo_builder.build import directory as build
from model_repo_builder.plan.schema import Plan
from model_repo_builder.report import BuildLog, Row
from model_repo_builder.repository import bucket_publish, fingerprint, manifest
from model_repo_builder.sources import specification


def build_to_bucket(plan: Plan, url: str, log: BuildLog) -> list[Row]:
    """Bring the variants of `plan` at `url` up to date; returns a row for each, in the plan's order.

    An artefact that only the bucket has is downloaded and not built again; one that only the cache has, because the
    upload was cut short, is uploaded and not built again. BuildError where the bucket can't be used, before any work.
    """
    bucket = Bucket("--output", url)
    bucket.check()
    build.ready(plan)
    repository = cached(url)
    # Held until all is uploaded: another build would change the files meanwhile.
    busy = f"{url} is being built by another process of this machine"
    with held(repository, "--output", busy):
        _download_what_is_wanted(plan, bucket, repository, log)
        rows = build.build(plan, repository, log)
        for row in rows:
            name = row.manifest.variant
            version = bucket_publish.upload(bucket, repository / name, row.manifest)
            log.event(name, f"at {url} as before" if version is None else f"published at {url} as version {version}")
    return rows


def _download_what_is_wanted(plan: Plan, bucket: Bucket, repository: Path, log: BuildLog) -> None:
    """Fetch the artefacts of the plan that the bucket has, and this machine's cache has not."""
    identity = specification.identity(plan.model)
    for variant in plan.chosen:
        wanted = fingerprint.artefact(plan, variant, identity)
        here = manifest.read(repository / variant.name)
        there = bucket_publish.published(bucket, variant.name)
        if there and there.artefact == wanted and (here is None or here.artefact != wanted):
            log.event(variant.name, f"downloading what {bucket.url} has of it")
            bucket_publish.download(bucket, variant.name, there, repository)
