{{/* What both autoscalers share: how fast the replica count moves, and what it follows. */}}

{{/*
Up at once, down a share at a time when the load was lower during the whole cool-down. Kubernetes rounds what stays down,
so a small share takes one Pod at least.
*/}}
{{- define "triton.scalingBehavior" -}}
{{- with .Values.scaling -}}
scaleUp:
  stabilizationWindowSeconds: {{ .scaleUp.stabilizationSeconds }}
  policies:
    - {type: Percent, value: {{ .scaleUp.percent }}, periodSeconds: {{ .scaleUp.periodSeconds }}}
    - {type: Pods, value: {{ .scaleUp.pods }}, periodSeconds: {{ .scaleUp.periodSeconds }}}
  selectPolicy: Max
scaleDown:
  stabilizationWindowSeconds: {{ .cooldownSeconds }}
  policies:
    - {type: Percent, value: {{ .scaleDown.percent }}, periodSeconds: {{ .scaleDown.periodSeconds }}}
{{- end -}}
{{- end -}}

{{/* Requests per second that one Pod should get: the measured capacity less its reserve. */}}
{{- define "triton.requestRateTarget" -}}
{{- with .Values.scaling.requestRate -}}
{{- divf (mulf .perPodCapacity .targetPercent) 100 -}}
{{- end -}}
{{- end -}}

{{/* A Pod metric to keep at a mean. Arguments: name, milli (the mean times 1000, as quantities have no fraction). */}}
{{- define "triton.podMetric" -}}
- type: Pods
  pods:
    metric:
      name: {{ .name | quote }}
    target:
      type: AverageValue
      averageValue: {{ printf "%dm" (int64 (ceil .milli)) }}
{{- end -}}

{{- define "triton.kedaTrigger" -}}
{{- $keda := .root.Values.scaling.keda -}}
- type: prometheus
  name: {{ .name }}
  metricType: {{ .metricType }}
  metadata:
    serverAddress: {{ $keda.prometheusAddress | quote }}
    query: {{ .query | quote }}
    threshold: {{ .threshold | quote }}
    # No series means that nothing is known, not that there is no load: the number of Pods stays as it is.
    ignoreNullValues: "false"
  {{- with $keda.authenticationRef }}
  authenticationRef:
    name: {{ . | quote }}
  {{- end }}
{{- end -}}
