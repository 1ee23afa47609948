{{/* Names of the parts, as the parts make them. */}}

{{/* HOST:PORT of this release's Triton with its default names and ports; validations.yaml guards that. */}}
{{- define "inference-system.tritonAddress" -}}
{{ include "inference-system.tritonName" . }}:8001
{{- end -}}

{{- define "inference-system.tritonName" -}}
{{- $values := dict "nameOverride" "" "fullnameOverride" "" -}}
{{- include "triton.fullname" (dict "Chart" (dict "Name" "triton") "Release" .Release "Values" $values) -}}
{{- end -}}

{{- define "inference-system.locustName" -}}
{{- $values := dict "nameOverride" .Values.locust.nameOverride "fullnameOverride" .Values.locust.fullnameOverride -}}
{{- include "locust.fullname" (dict "Chart" (dict "Name" "locust") "Release" .Release "Values" $values) -}}
{{- end -}}
