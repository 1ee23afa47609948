"""Serves models as they were tuned: loads each once more, with values over its own configuration. Checks tiers.

    python3 apply_tuning.py HTTP_PORT DEADLINE_S TUNING_JSON

Runs as the postStart hook, so that no probe succeeds and no request comes before it has ended. TUNING_JSON maps a model
to maxBatchSize, preferredBatchSizes, maxQueueDelayMicroseconds, instances and responseCache, each optional, and to the
tier that it must have been built with. Exits 1 with one line that names the model when that can't be done; Kubernetes
then starts the container again. Only Python's standard library is used, because that is in the server's images.
"""

import json
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

CALL_S = 10.0
NOT_BATCHING = {"tier", "responseCache"}


def tuned(config, values):
    """A complete copy of Triton's model configuration, with the values in it; an alias has only a largest batch."""
    if "responseCache" in values:
        config = config | {"response_cache": {"enable": values["responseCache"]}}
    if not values.keys() - NOT_BATCHING:
        return config
    largest = values.get("maxBatchSize", config["max_batch_size"])
    if "ensemble_scheduling" in config:
        return config | {"max_batch_size": largest}
    groups = config.get("instance_group") or [{}]
    batcher = dict(config.get("dynamic_batching", {}))
    batcher["preferred_batch_size"] = values.get("preferredBatchSizes", [])
    if "maxQueueDelayMicroseconds" in values:
        batcher["max_queue_delay_microseconds"] = values["maxQueueDelayMicroseconds"]
    samples = config.get("model_warmup", [])
    return config | {
        "max_batch_size": largest,
        "dynamic_batching": batcher,
        "instance_group": [group | {"count": values.get("instances", group.get("count", 1))} for group in groups],
        "model_warmup": cut_warm_up(samples, largest),
    }


def cut_warm_up(samples, largest):
    """Without batches above the largest one, which would end Triton 2.51 with a segmentation fault."""
    fitting = [sample for sample in samples if sample["batch_size"] <= largest]
    above = [sample | {"batch_size": largest} for sample in samples if sample["batch_size"] > largest]
    return fitting if largest in [sample["batch_size"] for sample in fitting] else fitting + above[:1]


def check_tier(config, tier):
    """ValueError unless the model was built with this tier: model-repo-builder alone knows what that means."""
    built = config.get("parameters", {}).get("tier", {}).get("string_value", "none")
    if tier is not None and built != str(tier):
        raise ValueError(f"it was built with tier {built}, the values say {tier}: give its variant `tier: {tier}`")


def ask(url, body=None, timeout_s=CALL_S):
    """The parsed answer; OSError when there is none, ValueError with Triton's reason when it refuses."""
    data = json.dumps(body).encode() if body is not None else None
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data), timeout=timeout_s) as response:
            text = response.read()
    except urllib.error.HTTPError as error:
        raise ValueError(error.read().decode(errors="replace")[:400]) from None
    return json.loads(text) if text else {}


def wait_until_live(server, deadline):
    """Triton opens its ports when every model is loaded."""
    while True:
        try:
            return ask(f"{server}/v2/health/live")
        except (OSError, ValueError):
            if time.monotonic() > deadline:
                raise TimeoutError("the server was not live in time") from None
            time.sleep(0.5)


def read_wanted(server, model, values):
    """The complete configuration to serve a model with, and None where it is served as it should be."""
    config = ask(f"{server}/v2/models/{model}/config")
    check_tier(config, values.get("tier"))
    return tuned(config, values) if values.keys() - {"tier"} else None


def apply(server, model, wanted, deadline):
    """Load the model as tuned and see that it is."""
    left_s = max(CALL_S, deadline - time.monotonic())
    ask(f"{server}/v2/repository/models/{model}/load", {"parameters": {"config": json.dumps(wanted)}}, left_s)
    served = ask(f"{server}/v2/models/{model}/config")
    if served["max_batch_size"] != wanted["max_batch_size"]:
        raise ValueError(f"it is served with max_batch_size {served['max_batch_size']}")
    if caches(served) != caches(wanted):
        raise ValueError(f"it is served {'with' if caches(served) else 'without'} a response cache")


def caches(config):
    """Whether Triton looks requests of the model up in the server's cache."""
    return config.get("response_cache", {}).get("enable", False)


def main(port, deadline_s, path):
    server, deadline = f"http://127.0.0.1:{port}", time.monotonic() + deadline_s
    step = "tuning"
    try:
        wait_until_live(server, deadline)
        wanted = {}
        for model, values in json.loads(Path(path).read_text()).items():
            step = f"tuning {model}"
            wanted[model] = read_wanted(server, model, values)
        wanted = {model: config for model, config in wanted.items() if config is not None}
        # An alias after its model: Triton refuses one that takes larger batches than its model.
        for model in sorted(wanted, key=lambda name: "ensemble_scheduling" in wanted[name]):
            step = f"tuning {model}"
            apply(server, model, wanted[model], deadline)
    except (OSError, ValueError) as error:
        print(f"{step}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]))
