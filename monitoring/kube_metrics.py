"""The metrics of Prometheus itself and of kube-state-metrics that dashboards and alerts use, named once."""

UP = "up"
POD_STATUS_READY = "kube_pod_status_ready"
POD_STATUS_PHASE = "kube_pod_status_phase"
POD_DELETION_TIMESTAMP = "kube_pod_deletion_timestamp"
HPA_MIN_REPLICAS = "kube_horizontalpodautoscaler_spec_min_replicas"
HPA_MAX_REPLICAS = "kube_horizontalpodautoscaler_spec_max_replicas"
HPA_CURRENT_REPLICAS = "kube_horizontalpodautoscaler_status_current_replicas"
HPA_DESIRED_REPLICAS = "kube_horizontalpodautoscaler_status_desired_replicas"

KUBE_METRICS = frozenset(
    {
        UP,
        POD_STATUS_READY,
        POD_STATUS_PHASE,
        POD_DELETION_TIMESTAMP,
        HPA_MIN_REPLICAS,
        HPA_MAX_REPLICAS,
        HPA_CURRENT_REPLICAS,
        HPA_DESIRED_REPLICAS,
    }
)
