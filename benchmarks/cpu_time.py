"""CPU time that one example costs each variant of a model repository, on one thread and without a server.

    python benchmarks/cpu_time.py REPOSITORY VARIANT... [--runs 7] [--output cpu-time.json]

Time that the process waits for a core is not counted, so the figures hold on a machine that others use, too; what a
second thread gains is not in them. In the builder's environment, by the loaders that a variant's model.py has.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

from command_line.environment import describe_environment
from model_repo_builder.engines import ENGINES
from model_repo_builder.examples.kinds import as_sent, batches, kind_of
from model_repo_builder.repository import model_py
from model_repo_builder.speed_test import variants
from model_repo_builder.speed_test.variants import Built

_THREADS = ("intra_op_thread_count", "TF_NUM_INTRA_THREADS", "TF_NUM_INTER_THREADS")
_OPENVINO = ("INFERENCE_NUM_THREADS", "NUM_STREAMS")
ONE_THREAD = dict.fromkeys(_THREADS + _OPENVINO, "1")
WARM_UP_RUNS = 2


def cpu_ms(variant: Built, runs: int) -> list[float]:
    """The CPU time of each run in ms, one example each."""
    signature = variant.manifest.signature
    outputs = [tensor.name for tensor in signature.outputs]
    parameters = {**variant.parameters, **ONE_THREAD}
    execute = model_py.load(ENGINES[variant.manifest.engine].loader)(variant.folder, parameters, None, outputs)
    shown = kind_of(signature).load("synthetic:1", "REPOSITORY", WARM_UP_RUNS + runs, signature, 0)
    spent = []
    for one in batches(as_sent(shown, signature), 1):
        started = time.process_time()
        execute(dict(one))
        spent.append((time.process_time() - started) * 1000)
    return spent[WARM_UP_RUNS:]


def main() -> None:
    """Measure the chosen variants, print a line for each, and keep every run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repository", type=Path)
    parser.add_argument("variants", nargs="+")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    kept = []
    for variant in variants.read(options.repository, options.variants):
        spent = cpu_ms(variant, options.runs)
        made = variant.manifest
        print(
            f"{variant.name:18} {statistics.median(spent):7.0f} ms ({min(spent):.0f} to {max(spent):.0f})", flush=True
        )
        agreement = made.agreement.model_dump()
        facts = {"length": made.signature.inputs[0].shape[0], "weights": made.weights, "agreement": agreement}
        kept.append({"model": made.model, "variant": variant.name, **facts, "cpu_ms": spent})
    if options.output:
        environment = describe_environment()
        options.output.write_text(json.dumps({"environment": environment, "variants": kept}, indent=1) + "\n")


if __name__ == "__main__":
    main()
