{{/* How many Pods there are, how many may come and go at once, and quantities as numbers. */}}

{{/* The fewest Pods that there are to be. */}}
{{- define "triton.fewestPods" -}}
{{- with .Values.scaling }}{{ ternary .replicas .minReplicas (eq .mode "fixed") | int }}{{ end -}}
{{- end -}}

{{/*
The number of Pods that the Deployment names. An autoscaler owns it, so then it names none, with one exception: a
Deployment whose last manifest named one. Taking it away would let Kubernetes put 1 in its place, so it is named as it
is at the moment, as long as an annotation says so, and where there is no autoscaler yet. That ends where Helm applies
on the server's side and somebody else has set the number since: Kubernetes then knows that it is theirs, keeps it, and
would refuse another. Nothing is found where no cluster is asked, as by `helm template`.
*/}}
{{- define "triton.replicas" -}}
{{- $name := include "triton.fullname" . -}}
{{- if eq .Values.scaling.mode "fixed" -}}
{{- .Values.scaling.replicas -}}
{{- else -}}
{{- $workload := include "triton.workload" . | fromYaml -}}
{{- $deployment := lookup $workload.apiVersion $workload.kind .Release.Namespace $name -}}
{{- $autoscaler := lookup "autoscaling/v2" "HorizontalPodAutoscaler" .Release.Namespace $name -}}
{{- if and $deployment (or (not $autoscaler) (include "triton.namesReplicas" $deployment)) (not (include "triton.replicasOfAnother" $deployment)) -}}
{{- max 1 (int $deployment.spec.replicas) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The field manager besides Helm that a Deployment's number belongs to, where Helm applies on the server's side. */}}
{{- define "triton.replicasOfAnother" -}}
{{- $applied := false -}}
{{- $another := "" -}}
{{- range .metadata.managedFields -}}
{{- if and (eq .manager "helm") (eq .operation "Apply") }}{{ $applied = true }}{{ end -}}
{{- if and (ne .manager "helm") (hasKey (dig "fieldsV1" "f:spec" dict .) "f:replicas") }}{{ $another = .manager }}{{ end -}}
{{- end -}}
{{- if $applied }}{{ $another }}{{ end -}}
{{- end -}}

{{/* Whether a Deployment says that its manifest named the number of Pods. */}}
{{- define "triton.namesReplicas" -}}
{{- dig "metadata" "annotations" (include "triton.replicasAnnotation" .) "" . -}}
{{- end -}}

{{- define "triton.replicasAnnotation" -}}
inference-system/names-replicas
{{- end -}}

{{/*
Why an upgrade must not take the present autoscaler's place; empty where it may. KEDA's HorizontalPodAutoscaler has the name
of the chart's own: Helm would refuse to make one beside it, and KEDA a ScaledObject beside that of the chart, each when
half of the upgrade is done. Arguments: mode, autoscaler (as the cluster has it, empty where it has none).
*/}}
{{- define "triton.autoscalerInTheWay" -}}
{{- $of := "" -}}
{{- if .autoscaler }}{{ $of = "hpa" }}{{ end -}}
{{- range dig "metadata" "ownerReferences" list (default dict .autoscaler) }}{{ if eq .kind "ScaledObject" }}{{ $of = "keda" }}{{ end }}{{ end -}}
{{- if and $of (ne $of .mode) (ne .mode "fixed") -}}
scaling.mode is {{ .mode }}, and the autoscaler of the mode {{ $of }} is there: upgrade to the mode fixed first, with scaling.replicas {{ max (dig "status" "desiredReplicas" 0 .autoscaler | int) (dig "spec" "minReplicas" 1 .autoscaler | int) }} as it has now
{{- end -}}
{{- end -}}

{{/*
Why an upgrade must not select other Pods than before; empty where it may. Kubernetes refuses that of a Deployment, when
Helm has changed the Services already, which then find no Pod. Arguments: workload (as the cluster has it, empty where it
has none), selector.
*/}}
{{- define "triton.selectorInTheWay" -}}
{{- $now := dig "spec" "selector" "matchLabels" dict (default dict .workload) -}}
{{- if and $now (ne (toJson $now) (toJson .selector)) -}}
nameOverride makes the label app.kubernetes.io/name {{ get .selector "app.kubernetes.io/name" }}, and the Pods of {{ .workload.metadata.name }} are selected by {{ get $now "app.kubernetes.io/name" }}, which can't be changed: keep that, or choose another fullnameOverride
{{- end -}}
{{- end -}}

{{/* How many Pods may come and go at once in a roll-out: shares grow with the fleet. */}}
{{- define "triton.rollingUpdate" -}}
{{- $replace := eq .Values.rollout.mode "replace" -}}
{{- $surge := .Values.rollout.maxSurge | toString -}}
{{- $unavailable := .Values.rollout.maxUnavailable | toString -}}
maxSurge: {{ default (ternary "0" "25%" $replace) $surge }}
maxUnavailable: {{ default (ternary "10%" "0" $replace) $unavailable }}
{{- end -}}

{{- define "triton.disruptionBudget" -}}
{{- .Values.podDisruptionBudget.maxUnavailable | toString | default "10%" -}}
{{- end -}}

{{/* A number or a share of Pods as a number, rounded up. Arguments: value, pods. */}}
{{- define "triton.podsOf" -}}
{{- $value := toString .value -}}
{{- if hasSuffix "%" $value -}}
{{- div (add (mul (trimSuffix "%" $value | int) .pods) 99) 100 -}}
{{- else -}}
{{- int $value -}}
{{- end -}}
{{- end -}}

{{/* A quantity of Kubernetes as a plain number: 500m is 0.5, 1Ki is 1024. */}}
{{- define "triton.quantity" -}}
{{- if not (kindIs "string" .) -}}
{{- float64 . -}}
{{- else -}}
{{- $units := dict "" 1 "m" 0.001 "k" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- mulf (regexFind "^[0-9.]+" . | float64) (get $units (regexFind "[A-Za-z]*$" .)) -}}
{{- end -}}
{{- end -}}

{{/* "90s" or "2m" in seconds. */}}
{{- define "triton.seconds" -}}
{{- mul (regexFind "^[0-9]+" . | int) (ternary 60 1 (hasSuffix "m" .)) -}}
{{- end -}}
