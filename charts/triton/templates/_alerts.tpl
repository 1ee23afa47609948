{{/* What the alert rules share: whom they select, and the annotations of each alert. */}}

{{/* This release's Pods in kube-state-metrics; a Deployment's Pod is NAME-HASH-SUFFIX, cut without the last dash when long. */}}
{{- define "triton.podSelector" -}}
namespace="{{ .Release.Namespace }}",pod=~"{{ include "triton.fullname" . }}-[a-z0-9]+(-[a-z0-9]{5})?"
{{- end -}}

{{/* The chosen models as a regular expression inside a PromQL string, where a backslash counts twice. */}}
{{- define "triton.modelPattern" -}}
{{- $quoted := list -}}
{{- range .Values.modelRepository.models }}{{ $quoted = append $quoted (regexQuoteMeta . | replace "\\" "\\\\") }}{{ end -}}
{{- join "|" $quoted -}}
{{- end -}}

{{/* A number as a PromQL literal: not in exponent form, which a whole float would get. */}}
{{- define "triton.number" -}}
{{- . | toString | float64 | printf "%f" | regexFind "^[0-9]+(\\.[0-9]*[1-9])?" -}}
{{- end -}}

{{/* Labels and annotations of an alert. Arguments: root, severity, runbook, summary, description. */}}
{{- define "triton.alertTexts" -}}
labels:
  severity: {{ .severity }}
annotations:
  summary: {{ .summary | quote }}
  description: {{ .description | quote }}
  runbook_url: {{ printf "%s/%s.md" (trimSuffix "/" .root.Values.monitoring.prometheusRule.runbookBaseUrl) .runbook | quote }}
{{- end -}}
