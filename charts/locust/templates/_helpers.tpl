{{/* Names, labels and the image reference, shared by every template. */}}

{{- define "locust.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/*
The base of every object's name: 45 characters at most, so that the longest suffix, a Job's command
and checksum, fits into 63. A name that has to be cut ends in a hash, or two long release names
would meet in one object.
*/}}
{{- define "locust.fullname" -}}
{{- $name := include "locust.name" . -}}
{{- $full := .Values.fullnameOverride -}}
{{- if not $full -}}
{{- $full = ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- end -}}
{{- /* A release's name may hold dots, a Service's name may not. */ -}}
{{- $full = replace "." "-" $full -}}
{{- if gt (len $full) 45 -}}
{{- printf "%s-%s" (trunc 36 $full | trimSuffix "-") (sha256sum $full | trunc 8) -}}
{{- else -}}
{{- $full -}}
{{- end -}}
{{- end -}}

{{/* Arguments: root, component (empty for objects that belong to none). */}}
{{- define "locust.selectorLabels" -}}
app.kubernetes.io/name: {{ include "locust.name" .root | quote }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{- define "locust.labels" -}}
{{ include "locust.selectorLabels" . }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/part-of: tensorflow-inference-system
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Labels of a Pod: podLabels win over commonLabels. Arguments: root, component. */}}
{{- define "locust.podLabels" -}}
{{ include "locust.selectorLabels" . }}
{{- with merge dict .root.Values.podLabels .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "locust.image" -}}
{{- $image := .Values.image -}}
{{- $name := list (trimSuffix "/" $image.registry) $image.repository | compact | join "/" -}}
{{- /* As in charts/triton: global.imageRegistry takes the place of the registry's host, and keeps its path. */ -}}
{{- with (.Values.global).imageRegistry -}}
{{- $name = regexReplaceAll "^([^/]*[.:][^/]*|localhost)/" $name "" | printf "%s/%s" . -}}
{{- end -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $name $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (default .Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

{{/* A quantity of Kubernetes as a plain number, as "triton.quantity". */}}
{{- define "locust.quantity" -}}
{{- if not (kindIs "string" .) -}}
{{- float64 . -}}
{{- else -}}
{{- $units := dict "" 1 "m" 0.001 "k" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- mulf (regexFind "^[0-9.]+" . | float64) (get $units (regexFind "[A-Za-z]*$" .)) -}}
{{- end -}}
{{- end -}}

{{- define "locust.address" -}}
{{- tpl .Values.target.address . | trim -}}
{{- end -}}

{{- define "locust.controlAddress" -}}
{{- tpl .Values.target.controlAddress . | trim -}}
{{- end -}}
