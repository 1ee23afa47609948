{{/* Names, labels and image references, shared by every template. */}}

{{- define "triton.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* The base of the names of what belongs to the release, and of its pools' names. */}}
{{- define "triton.releaseName" -}}
{{- include "triton.shortened" (include "triton.wholeName" .) -}}
{{- end -}}

{{/* The base of the names of all other objects: with the pool's name in it, where the release has pools. */}}
{{- define "triton.fullname" -}}
{{- $pool := get . "Pool" -}}
{{- list (include "triton.wholeName" .) $pool | compact | join "-" | include "triton.shortened" -}}
{{- end -}}

{{- define "triton.wholeName" -}}
{{- $name := include "triton.name" . -}}
{{- $full := .Values.fullnameOverride -}}
{{- if not $full -}}
{{- $full = ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- end -}}
{{- /* A release's name may hold dots, a Service's name may not. */ -}}
{{- replace "." "-" $full -}}
{{- end -}}

{{/*
50 characters at most, so that the longest suffix fits into 63. A name that has to be cut ends in a hash, or two long
names would meet in one object.
*/}}
{{- define "triton.shortened" -}}
{{- if gt (len .) 50 -}}
{{- printf "%s-%s" (trunc 41 . | trimSuffix "-") (sha256sum . | trunc 8) -}}
{{- else -}}
{{- . -}}
{{- end -}}
{{- end -}}

{{- define "triton.selectorLabels" -}}
app.kubernetes.io/name: {{ include "triton.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: server
{{- with get . "Pool" }}
inference-system/pool: {{ . | quote }}
{{- end }}
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

{{/* One identity for all Pods of a release, so that what it is bound to outlives each pool. */}}
{{- define "triton.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "triton.releaseName" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/*
registry/repository:tag, or @digest where one is given; without a tag the chart's appVersion. global.imageRegistry takes
the place of the registry's host, wherever that stands, and keeps its path. Arguments: root, image.
*/}}
{{- define "triton.image" -}}
{{- $image := .image -}}
{{- $name := list $image.registry $image.repository | compact | join "/" -}}
{{- with (.root.Values.global).imageRegistry -}}
{{- $name = regexReplaceAll "^([^/]*[.:][^/]*|localhost)/" $name "" | printf "%s/%s" . -}}
{{- end -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $name $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (default .root.Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

{{/* The port of the collector of traces; empty where there is none. */}}
{{- define "triton.tracesPort" -}}
{{- with .Values.server.tracing.otlpUrl -}}
{{- regexFind "^https?://[^/]*" . | regexFind ":[0-9]+$" | trimPrefix ":" | default (ternary "443" "80" (hasPrefix "https:" .)) -}}
{{- end -}}
{{- end -}}

{{/* What tells the Service that a ServiceMonitor selects from those of the clients. */}}
{{- define "triton.metricsServiceLabel" -}}
inference-system/service: metrics
{{- end -}}

{{/*
Selects this release's series in Prometheus: PodMonitors set job to NAMESPACE/NAME, the chart's ServiceMonitor does, too, a
PodMonitoring sets it to NAME.
*/}}
{{- define "triton.metricsSelector" -}}
{{- $job := include "triton.fullname" . -}}
{{- if ne .Values.monitoring.podMonitor.kind "PodMonitoring" }}{{ $job = printf "%s/%s" .Release.Namespace $job }}{{ end -}}
namespace="{{ .Release.Namespace }}",job="{{ $job }}"
{{- end -}}
