"""PromQL over Triton's counters: each function gives one expression, per model unless it says otherwise."""

from monitoring import kube_metrics as kube
from triton_contract import metrics as triton

SERVER = 'namespace="$namespace",job="$job"'
MODEL = SERVER + ',model=~"$model"'

LN_20 = 3.0
"""-ln(1 - 0.95): how much longer than the mean the 95th percentile of an exponential waiting time is."""


def per_second(metric: str, by: str = "model", more: str = "") -> str:
    """Increase of a counter per second, summed by labels."""
    return f"sum by ({by}) (rate({metric}{{{MODEL}{more}}}[$__rate_interval]))"


def mean_ms(duration: str, by: str = "model") -> str:
    """Mean of a cumulative duration over the successful requests, in milliseconds."""
    return f"{per_second(duration, by)} / {per_second(triton.REQUEST_SUCCESS, by)} / 1000"


def p95_proxy_ms(by: str = "model") -> str:
    """Estimate of the 95th percentile of the request duration from counters, in milliseconds.

    The counters hold sums, so only means are known. Executing a batch takes nearly the same time each time; what
    varies is waiting. A waiting time in heavy traffic is close to exponential (Kingman, 1961), and then its 95th
    percentile is ln 20 = 3.0 times its mean: proxy = mean without queue + 3 x mean queue = mean + 2 x mean queue.
    It is too high where requests wait only for a batch to fill, and knows nothing of the network and the client.
    """
    queue = per_second(triton.QUEUE_DURATION, by)
    total = per_second(triton.REQUEST_DURATION, by)
    return f"({total} + {LN_20 - 1:g} * {queue}) / {per_second(triton.REQUEST_SUCCESS, by)} / 1000"


def measured_p95_ms() -> str:
    """The server's own P95 of each Pod; there only with `--metrics-config summary_latencies=true`."""
    return f'max by (pod, model) ({triton.REQUEST_SUMMARY}{{{MODEL},quantile="0.95"}}) / 1000'


def queue_share() -> str:
    """Part of the request duration that is spent waiting, 0 to 1."""
    return f"{per_second(triton.QUEUE_DURATION)} / {per_second(triton.REQUEST_DURATION)}"


def batch_size(by: str = "model") -> str:
    """Mean batch size that executions really reached."""
    return f"{per_second(triton.INFERENCE_COUNT, by)} / {per_second(triton.EXEC_COUNT, by)}"


def error_share() -> str:
    """Failed part of all requests, 0 to 1; requests that the client gave up are not failures of the server."""
    failed = per_second(triton.REQUEST_FAILURE, more=',reason!="CANCELED"')
    return f"{failed} / ({failed} + {per_second(triton.REQUEST_SUCCESS)})"


def pending(by: str = "model") -> str:
    """Requests that wait for a model instance now."""
    return f"sum by ({by}) ({triton.PENDING_REQUESTS}{{{MODEL}}})"


def gpu(metric: str) -> str:
    """A gauge of each GPU."""
    return f"max by (pod, gpu_uuid) ({metric}{{{SERVER}}})"


def gpu_memory_share() -> str:
    """Used part of each GPU's memory, 0 to 1."""
    return f"{gpu(triton.GPU_MEMORY_USED)} / {gpu(triton.GPU_MEMORY_TOTAL)}"


def dcgm_memory_share() -> str:
    """Used part of the frame buffer of every GPU that dcgm-exporter reports, 0 to 1."""
    used, free = (f"max by (Hostname, gpu) ({metric})" for metric in (triton.DCGM_FB_USED, triton.DCGM_FB_FREE))
    return f"{used} / ({used} + {free})"


def joules_per_inference() -> str:
    """GPU energy for one inference, over all models of the release."""
    energy = f"sum(rate({triton.ENERGY_CONSUMPTION}{{{SERVER}}}[$__rate_interval]))"
    return f"{energy} / sum(rate({triton.INFERENCE_COUNT}{{{SERVER}}}[$__rate_interval]))"


def imbalance() -> str:
    """Requests per second of the busiest Pod over the mean of all; 1 is an even spread."""
    by_pod = per_second(triton.REQUEST_SUCCESS, "pod")
    return f"max({by_pod}) / avg({by_pod})"


def autoscaler(metric: str) -> str:
    """A replica count of this release's autoscaler: the job label is NAMESPACE/NAME of it, too."""
    series = f'{metric}{{namespace="$namespace"}}'
    named = f'label_join({series}, "target", "/", "namespace", "horizontalpodautoscaler")'
    target = f'label_join({kube.UP}{{{SERVER}}}, "target", "", "job")'
    return f"max({named} and on (target) {target})"
