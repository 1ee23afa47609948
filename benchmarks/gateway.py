"""What a gateway costs: sweeps through a Service and through Traefik on the cluster of KUBECONFIG, over both protocols.

python benchmarks/gateway.py --repository demo/models --model onnx_int8_tuned --output results/gateway

It needs what the tests on a cluster need (tests/integration/README.md), and is set up as test_gateway.py is.
"""

import argparse
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests" / "integration"), str(ROOT / "ci")]

import build_images  # noqa: E402
import local_images  # noqa: E402
from choices import prebuilt  # noqa: E402
from cluster import kubectl  # noqa: E402
from gateway_api import definitions, gateway, wait_until_routed  # noqa: E402
from jobs import run_job  # noqa: E402
from release import Release  # noqa: E402

PORTS = {"grpc": 8001, "http": 8000}
DEADLINE_S = 1200


def main() -> int:
    """Keep results.json of each protocol as PROTOCOL.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repository", type=Path, required=True, help="the model repository")
    parser.add_argument("--model", required=True, help="the model in it")
    parser.add_argument("--output", type=Path, required=True, help="folder of the results")
    parser.add_argument("--effort", default="full", help="that of slo-tuner (default %(default)s)")
    options = parser.parse_args()
    run = secrets.token_hex(3)
    images = {"repository": f"benchmark-repository:{run}", "locust": build_images.image("locust")}
    local_images.build_repository(images["repository"], [options.repository / options.model])
    local_images.build_gateway(f"gateway:{run}")
    local_images.load(*images.values(), f"gateway:{run}", build_images.image("triton-cpu"))
    with _namespace(f"gateway-{run}") as namespace, definitions(), gateway(namespace, f"gateway:{run}") as entrance:
        values = {**prebuilt(images), **entrance.values}
        values["modelRepository"] |= {"models": [options.model]}
        release = Release(namespace)
        release.install(values, ["cpu"])
        wait_until_routed(namespace)
        for protocol, port in PORTS.items():
            target = {"address": f"{release.name}:{port}", "model": options.model, "protocol": protocol}
            through = {"gateway": entrance.addresses[protocol]}
            job = {"command": "sweep", "through": through, "extraArgs": [f"--effort={options.effort}"]}
            files = run_job(namespace, f"sweep-{protocol}", job, DEADLINE_S, target=target)
            options.output.mkdir(parents=True, exist_ok=True)
            (options.output / f"{protocol}.json").write_text(files["results.json"])
            print(f"{options.output / protocol}.json", flush=True)
    return 0


@contextmanager
def _namespace(name: str) -> Iterator[str]:
    kubectl("create", "namespace", name)
    try:
        yield name
    finally:
        kubectl("delete", "namespace", name, "--wait=false")


if __name__ == "__main__":
    sys.exit(main())
