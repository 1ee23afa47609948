"""The metrics that Triton 2.51 to 2.55 exports, named once for the tuner, the dashboards and the alerts.

Names and units are those of `src/metrics.cc` of triton-inference-server/core at r24.10 (2.51) and r25.02 (2.55).
Per-model series carry the labels `model` and `version`, per-GPU series `gpu_uuid`. Neither version has a latency
histogram for ordinary models: `nv_inference_first_response_histogram_ms` exists since 2.52 and for decoupled models
only, so it is not listed here. Quantiles exist as summaries, off unless `--metrics-config summary_latencies=true`.
"""

from dataclasses import dataclass
from typing import Literal

REQUEST_SUCCESS = "nv_inference_request_success"
REQUEST_FAILURE = "nv_inference_request_failure"
INFERENCE_COUNT = "nv_inference_count"
EXEC_COUNT = "nv_inference_exec_count"
REQUEST_DURATION = "nv_inference_request_duration_us"
QUEUE_DURATION = "nv_inference_queue_duration_us"
COMPUTE_INPUT_DURATION = "nv_inference_compute_input_duration_us"
COMPUTE_INFER_DURATION = "nv_inference_compute_infer_duration_us"
COMPUTE_OUTPUT_DURATION = "nv_inference_compute_output_duration_us"
PENDING_REQUESTS = "nv_inference_pending_request_count"
REQUEST_SUMMARY = "nv_inference_request_summary_us"
QUEUE_SUMMARY = "nv_inference_queue_summary_us"
MODEL_LOAD_DURATION = "nv_model_load_duration_secs"
PINNED_MEMORY_TOTAL = "nv_pinned_memory_pool_total_bytes"
PINNED_MEMORY_USED = "nv_pinned_memory_pool_used_bytes"
GPU_UTILIZATION = "nv_gpu_utilization"
GPU_MEMORY_TOTAL = "nv_gpu_memory_total_bytes"
GPU_MEMORY_USED = "nv_gpu_memory_used_bytes"
GPU_POWER_USAGE = "nv_gpu_power_usage"
GPU_POWER_LIMIT = "nv_gpu_power_limit"
ENERGY_CONSUMPTION = "nv_energy_consumption"
CPU_UTILIZATION = "nv_cpu_utilization"
CPU_MEMORY_TOTAL = "nv_cpu_memory_total_bytes"
CPU_MEMORY_USED = "nv_cpu_memory_used_bytes"

DCGM_GPU_UTIL = "DCGM_FI_DEV_GPU_UTIL"
DCGM_FB_USED = "DCGM_FI_DEV_FB_USED"
DCGM_FB_FREE = "DCGM_FI_DEV_FB_FREE"

FAILURE_REASONS = ("REJECTED", "CANCELED", "BACKEND", "OTHER")
"""Values of the label `reason` of `nv_inference_request_failure`; CANCELED means that the client gave up."""


@dataclass(frozen=True)
class Metric:
    """One exported metric family: its Prometheus type, its unit, what it means, and since which Triton it exists."""

    name: str
    kind: Literal["counter", "gauge", "summary"]
    unit: str
    meaning: str
    since: str = "2.51"


_TRITON = (
    Metric(REQUEST_SUCCESS, "counter", "requests", "requests answered; a batch sent by one client counts once"),
    Metric(REQUEST_FAILURE, "counter", "requests", "requests failed, by the label reason"),
    Metric(INFERENCE_COUNT, "counter", "inferences", "samples inferred; a batch of n counts n"),
    Metric(EXEC_COUNT, "counter", "executions", "times that a model ran; inferences / executions = batch size reached"),
    Metric(REQUEST_DURATION, "counter", "us", "sum over successful requests: from arrival in the core to the response"),
    Metric(QUEUE_DURATION, "counter", "us", "sum over successful requests: waiting in the scheduler"),
    Metric(COMPUTE_INPUT_DURATION, "counter", "us", "sum over successful requests: preparing the input tensors"),
    Metric(COMPUTE_INFER_DURATION, "counter", "us", "sum over successful requests: the model itself"),
    Metric(COMPUTE_OUTPUT_DURATION, "counter", "us", "sum over successful requests: reading the output tensors"),
    Metric(PENDING_REQUESTS, "gauge", "requests", "requests received and not yet given to a model instance"),
    Metric(REQUEST_SUMMARY, "summary", "us", "quantiles of the request duration; off by default"),
    Metric(QUEUE_SUMMARY, "summary", "us", "quantiles of the queue duration; off by default"),
    Metric(MODEL_LOAD_DURATION, "gauge", "s", "how long the model took to load", since="2.52"),
    Metric(PINNED_MEMORY_TOTAL, "gauge", "bytes", "size of the pool of pinned host memory"),
    Metric(PINNED_MEMORY_USED, "gauge", "bytes", "used part of the pool of pinned host memory"),
    Metric(GPU_UTILIZATION, "gauge", "ratio", "share of time in which a kernel ran, 0 to 1"),
    Metric(GPU_MEMORY_TOTAL, "gauge", "bytes", "memory of the GPU"),
    Metric(GPU_MEMORY_USED, "gauge", "bytes", "used memory of the GPU, by every process on it"),
    Metric(GPU_POWER_USAGE, "gauge", "W", "power drawn now"),
    Metric(GPU_POWER_LIMIT, "gauge", "W", "power limit of the GPU"),
    Metric(ENERGY_CONSUMPTION, "counter", "J", "energy used since Triton started"),
    Metric(CPU_UTILIZATION, "gauge", "ratio", "utilisation of all cores of the machine, 0 to 1"),
    Metric(CPU_MEMORY_TOTAL, "gauge", "bytes", "memory of the machine"),
    Metric(CPU_MEMORY_USED, "gauge", "bytes", "used memory of the machine"),
)

_DCGM = (
    Metric(DCGM_GPU_UTIL, "gauge", "percent", "as nv_gpu_utilization, 0 to 100", since="dcgm-exporter 1"),
    Metric(DCGM_FB_USED, "gauge", "MiB", "used frame buffer of the GPU", since="dcgm-exporter 1"),
    Metric(DCGM_FB_FREE, "gauge", "MiB", "free frame buffer of the GPU", since="dcgm-exporter 1"),
)

TRITON_METRICS: dict[str, Metric] = {metric.name: metric for metric in _TRITON}
DCGM_METRICS: dict[str, Metric] = {metric.name: metric for metric in _DCGM}
