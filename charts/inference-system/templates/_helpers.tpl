{{/* Names of the parts, as the parts make them. */}}

{{/* HOST:PORT of this release's Triton with its default names and ports; validations.yaml guards that. */}}
{{- define "inference-system.tritonAddress" -}}
{{ include "inference-system.tritonName" . }}:8001
{{- end -}}

{{/*
As triton.fullname of a release without names and pools of its own: Locust's address is made of it, also where
components.triton is false, and triton.fullname not there to be included.
*/}}
{{- define "inference-system.tritonName" -}}
{{- $full := ternary .Release.Name (printf "%s-triton" .Release.Name) (contains "triton" .Release.Name) | replace "." "-" -}}
{{- if gt (len $full) 50 -}}
{{- printf "%s-%s" (trunc 41 $full | trimSuffix "-") (sha256sum $full | trunc 8) -}}
{{- else -}}
{{- $full -}}
{{- end -}}
{{- end -}}

{{/* The base of the names of one pool's objects, or of the release's where the pool is empty. Arguments: root, pool. */}}
{{- define "inference-system.serverName" -}}
{{- include "triton.fullname" (dict "Chart" (dict "Name" "triton") "Release" .root.Release "Values" .root.Values.triton "Pool" .pool) -}}
{{- end -}}

{{/* What app.kubernetes.io/name is of every server, whatever pool it is of. */}}
{{- define "inference-system.serverLabel" -}}
{{- include "triton.name" (dict "Chart" (dict "Name" "triton") "Values" .Values.triton) -}}
{{- end -}}

{{- define "inference-system.locustName" -}}
{{- $values := dict "nameOverride" .Values.locust.nameOverride "fullnameOverride" .Values.locust.fullnameOverride -}}
{{- include "locust.fullname" (dict "Chart" (dict "Name" "locust") "Release" .Release "Values" $values) -}}
{{- end -}}

{{/* The name of the policy that lets Prometheus in. */}}
{{- define "inference-system.scrapeName" -}}
{{ include "inference-system.tritonName" . }}-scrape
{{- end -}}
