{{/* Names, labels and image references, shared by every template. */}}

{{- define "triton.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/*
The base of every object's name: 50 characters at most, so that the longest suffix fits into 63. A
name that has to be cut ends in a hash, or two long release names would meet in one object.
*/}}
{{- define "triton.fullname" -}}
{{- $name := include "triton.name" . -}}
{{- $full := .Values.fullnameOverride -}}
{{- if not $full -}}
{{- $full = ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- end -}}
{{- /* A release's name may hold dots, a Service's name may not. */ -}}
{{- $full = replace "." "-" $full -}}
{{- if gt (len $full) 50 -}}
{{- printf "%s-%s" (trunc 41 $full | trimSuffix "-") (sha256sum $full | trunc 8) -}}
{{- else -}}
{{- $full -}}
{{- end -}}
{{- end -}}

{{- define "triton.selectorLabels" -}}
app.kubernetes.io/name: {{ include "triton.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: server
{{- end -}}

{{/* Without commonLabels, which may hold the same keys as an object's own. */}}
{{- define "triton.chartLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: tensorflow-inference-system
{{- end -}}

{{- define "triton.commonLabels" -}}
{{ include "triton.chartLabels" . }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Labels of an object with its own ones, which win over commonLabels. Arguments: root, labels. */}}
{{- define "triton.labelsWith" -}}
{{ include "triton.selectorLabels" .root }}
{{ include "triton.chartLabels" .root }}
{{- with merge dict .labels .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Labels of every object except the test Pod, which must not be selected by the Service. */}}
{{- define "triton.labels" -}}
{{ include "triton.selectorLabels" . }}
{{ include "triton.commonLabels" . }}
{{- end -}}

{{- define "triton.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "triton.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/*
registry/repository:tag, or @digest where one is given; without a tag the chart's appVersion. global.imageRegistry takes
the place of the registry's host, and keeps its path. Arguments: root, image.
*/}}
{{- define "triton.image" -}}
{{- $image := .image -}}
{{- $registry := $image.registry -}}
{{- with (.root.Values.global).imageRegistry -}}
{{- $registry = regexReplaceAll "^([^/]*[.:][^/]*|localhost)(/|$)" $registry "" | printf "%s/%s" . | trimSuffix "/" -}}
{{- end -}}
{{- $name := $image.repository -}}
{{- with $registry }}{{ $name = printf "%s/%s" . $name }}{{ end -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $name $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (default .root.Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

{{/* Selects this release's series in Prometheus: PodMonitors set job to NAMESPACE/NAME, a PodMonitoring to NAME. */}}
{{- define "triton.metricsSelector" -}}
{{- $job := include "triton.fullname" . -}}
{{- if eq .Values.monitoring.podMonitor.kind "PodMonitor" }}{{ $job = printf "%s/%s" .Release.Namespace $job }}{{ end -}}
namespace="{{ .Release.Namespace }}",job="{{ $job }}"
{{- end -}}
