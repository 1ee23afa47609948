"""The two dashboards: what one model does against its objective, and how the Pods share the load."""

from grafana_foundation_sdk.builders import dashboard

from monitoring import kube_metrics as kube
from monitoring import queries as q
from monitoring.panels import choice, lines, number
from triton_contract import metrics as triton

PROXY = (
    "Estimate from counters: mean + 2 x mean queue time. Triton 2.51 to 2.55 exports no latency histogram for these "
    "models. Execution takes about the same time for each batch; a queue's waiting time in heavy traffic is close to "
    "exponential, whose 95th percentile is ln 20 = 3 times its mean. The network and the client are not in it: "
    "slo-tuner measures the real P95."
)


def all_dashboards() -> dict[str, dashboard.Dashboard]:
    """Dashboards by the name of their file, without suffix."""
    return {"model": _model(), "pods": _pods()}


def _empty(uid: str, title: str, description: str) -> dashboard.Dashboard:
    board = dashboard.Dashboard(title).uid(uid).description(description).tags(["triton", "inference"])
    board = board.refresh("30s").time("now-1h", "now").timezone("browser").readonly()
    series = triton.REQUEST_SUCCESS
    return (
        board.with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .with_variable(choice("namespace", "Namespace", f"label_values({series}, namespace)"))
        .with_variable(choice("job", "Server", f'label_values({series}{{namespace="$namespace"}}, job)'))
        .with_variable(choice("model", "Model", f"label_values({series}{{{q.SERVER}}}, model)", several=True))
    )


def _model() -> dashboard.Dashboard:
    board = _empty("triton-model", "Triton / Models", "Throughput, latency and what explains them, by model.")
    board = (
        board.with_row(dashboard.Row("Objective"))
        .with_panel(
            number("Requests", "Requests answered.", "reqps", q.per_second(triton.REQUEST_SUCCESS), "{{model}}")
        )
        .with_panel(number("P95 (proxy)", PROXY, "ms", q.p95_proxy_ms(), "{{model}}", limit=100))
        .with_panel(
            number(
                "Errors", "Failed requests, without cancelled ones.", "percentunit", q.error_share(), "{{model}}", 0.01
            )
        )
        .with_panel(number("Batch size reached", "Inferences per execution.", "short", q.batch_size(), "{{model}}"))
        .with_panel(
            lines(
                "Requests",
                "Requests answered, and failed by reason.",
                "reqps",
                (q.per_second(triton.REQUEST_SUCCESS), "{{model}}"),
                (q.per_second(triton.REQUEST_FAILURE, "model, reason") + " > 0", "{{model}} failed: {{reason}}"),
            )
        )
        .with_panel(
            lines(
                "P95 (proxy) and mean",
                PROXY + " Lines named 'server P95' appear with --metrics-config summary_latencies=true.",
                "ms",
                (q.p95_proxy_ms(), "{{model}} P95 proxy"),
                (q.mean_ms(triton.REQUEST_DURATION), "{{model}} mean"),
                (q.measured_p95_ms(), "{{model}} server P95 {{pod}}"),
            )
        )
        .with_panel(
            lines(
                "Queue share",
                "Part of the request's time spent waiting. High with a low GPU utilisation: more instances or larger "
                "batches help. High with a high utilisation: more Pods help.",
                "percentunit",
                (q.queue_share(), "{{model}}"),
            )
        )
    )
    parts = {
        "queue": triton.QUEUE_DURATION,
        "input": triton.COMPUTE_INPUT_DURATION,
        "infer": triton.COMPUTE_INFER_DURATION,
        "output": triton.COMPUTE_OUTPUT_DURATION,
    }
    where = [(q.mean_ms(metric), f"{{{{model}}}} {name}") for name, metric in parts.items()]
    return (
        board.with_row(dashboard.Row("What explains it"))
        .with_panel(lines("Where the time goes", "Mean time of a request in each step.", "ms", *where))
        .with_panel(
            lines(
                "Batch size reached",
                "Inferences per execution; far below the configured maximum means that requests do not wait for "
                "each other, or that too few arrive.",
                "short",
                (q.batch_size(), "{{model}}"),
            )
        )
        .with_panel(
            lines("Pending requests", "Requests waiting for a model instance.", "short", (q.pending(), "{{model}}"))
        )
        .with_row(dashboard.Row("GPU"))
        .with_panel(
            lines(
                "GPU utilisation",
                "Share of time in which a kernel ran.",
                "percentunit",
                (q.gpu(triton.GPU_UTILIZATION), "{{pod}}"),
            )
        )
        .with_panel(lines("GPU memory", "Used share of the memory.", "percentunit", (q.gpu_memory_share(), "{{pod}}")))
        .with_panel(
            lines(
                "Power",
                "Power drawn, its limit, and energy for one inference (J).",
                "watt",
                (q.gpu(triton.GPU_POWER_USAGE), "{{pod}}"),
                (q.gpu(triton.GPU_POWER_LIMIT), "{{pod}} limit"),
                (q.joules_per_inference(), "J per inference"),
            )
        )
    )


def _pods() -> dashboard.Dashboard:
    board = _empty(
        "triton-pods", "Triton / Pods and scaling", "How evenly Pods share the load, and how many there are."
    )
    pod_requests = q.per_second(triton.REQUEST_SUCCESS, "pod")
    return (
        board.with_row(dashboard.Row("Spread over Pods"))
        .with_panel(lines("Requests by Pod", "Requests answered by each Pod.", "reqps", (pod_requests, "{{pod}}")))
        .with_panel(
            lines(
                "Imbalance",
                "Busiest Pod over the mean; 1 is even. A gRPC client keeps one connection, so all its requests go "
                "to one Pod unless something balances them: see docs/explanation/architecture.md.",
                "short",
                (q.imbalance(), "busiest / mean"),
            )
        )
        .with_panel(lines("P95 (proxy) by Pod", PROXY, "ms", (q.p95_proxy_ms("pod"), "{{pod}}")))
        .with_panel(lines("Pending by Pod", "Requests waiting on each Pod.", "short", (q.pending("pod"), "{{pod}}")))
        .with_panel(lines("Batch size by Pod", "Inferences per execution.", "short", (q.batch_size("pod"), "{{pod}}")))
        .with_panel(
            lines(
                "CPU and memory of the machine",
                "As Triton sees them: the whole machine, not the Pod.",
                "percentunit",
                (f"max by (pod) ({triton.CPU_UTILIZATION}{{{q.SERVER}}})", "{{pod}} CPU"),
                (
                    f"max by (pod) ({triton.CPU_MEMORY_USED}{{{q.SERVER}}})"
                    f" / max by (pod) ({triton.CPU_MEMORY_TOTAL}{{{q.SERVER}}})",
                    "{{pod}} memory",
                ),
            )
        )
        .with_row(dashboard.Row("Scaling"))
        .with_panel(
            lines(
                "Pods",
                "Servers that answer scrapes, and the autoscaler's numbers (none with a fixed number of Pods).",
                "short",
                (f"sum({kube.UP}{{{q.SERVER}}})", "up"),
                (q.autoscaler(kube.HPA_DESIRED_REPLICAS), "wanted"),
                (q.autoscaler(kube.HPA_MIN_REPLICAS), "minimum"),
                (q.autoscaler(kube.HPA_MAX_REPLICAS), "maximum"),
            )
        )
        .with_panel(
            lines(
                "What scaling follows",
                "Mean queue time of a request; compare with scaling.queueTime.targetMs.",
                "ms",
                (q.mean_ms(triton.QUEUE_DURATION), "{{model}} queue time"),
            )
        )
        .with_panel(
            lines(
                "Model load time",
                "What a new Pod needs before it can help (Triton 2.52 and later).",
                "s",
                (f"max by (pod, model) ({triton.MODEL_LOAD_DURATION}{{{q.MODEL}}})", "{{pod}} {{model}}"),
            )
        )
        .with_row(dashboard.Row("GPUs as DCGM sees them (with dcgm-exporter; all GPUs it reports)"))
        .with_panel(
            lines(
                "GPU utilisation (DCGM)",
                "Percent, by node and GPU.",
                "percent",
                (f"max by (Hostname, gpu) ({triton.DCGM_GPU_UTIL})", "{{Hostname}} GPU {{gpu}}"),
                span=12,
            )
        )
        .with_panel(
            lines(
                "GPU memory used (DCGM)",
                "Share of the frame buffer, by node and GPU.",
                "percentunit",
                (q.dcgm_memory_share(), "{{Hostname}} GPU {{gpu}}"),
                span=12,
            )
        )
    )
