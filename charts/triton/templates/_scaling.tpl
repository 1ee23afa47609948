{{/* What both autoscalers share: how fast the replica count moves, and what it follows. */}}

{{/* Up at once, down by one Pod a minute when the load was lower during the whole cool-down. */}}
{{- define "triton.scalingBehavior" -}}
scaleUp:
  stabilizationWindowSeconds: 0
  policies:
    - {type: Percent, value: 100, periodSeconds: 60}
    - {type: Pods, value: 2, periodSeconds: 60}
  selectPolicy: Max
scaleDown:
  stabilizationWindowSeconds: {{ .Values.scaling.cooldownSeconds }}
  policies:
    - {type: Pods, value: 1, periodSeconds: 60}
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
