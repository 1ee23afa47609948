{{/* Names of the parts, as the parts make them. */}}

{{/* HOST:PORT of this release's Triton with its default names and ports; validations.yaml guards that. */}}
{{- define "inference-system.tritonAddress" -}}
{{ include "inference-system.tritonName" . }}:8001
{{- end -}}

{{/* As triton.fullname, which is not there to be included when components.triton is false. */}}
{{- define "inference-system.tritonName" -}}
{{- $full := ternary .Release.Name (printf "%s-triton" .Release.Name) (contains "triton" .Release.Name) -}}
{{- if gt (len $full) 50 -}}
{{- printf "%s-%s" (trunc 41 $full | trimSuffix "-" | trimSuffix ".") (sha256sum $full | trunc 8) -}}
{{- else -}}
{{- $full -}}
{{- end -}}
{{- end -}}

{{- define "inference-system.locustName" -}}
{{- $values := dict "nameOverride" .Values.locust.nameOverride "fullnameOverride" .Values.locust.fullnameOverride -}}
{{- include "locust.fullname" (dict "Chart" (dict "Name" "locust") "Release" .Release "Values" $values) -}}
{{- end -}}
