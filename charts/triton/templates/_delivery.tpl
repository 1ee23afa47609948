{{/* Progressive delivery: the parts of a Rollout of Argo Rollouts, and what the controller changes while it runs. */}}

{{/* The object that runs the servers, as autoscalers name it. */}}
{{- define "triton.workload" -}}
apiVersion: {{ ternary "argoproj.io/v1alpha1" "apps/v1" .Values.delivery.enabled }}
kind: {{ ternary "Rollout" "Deployment" .Values.delivery.enabled }}
name: {{ include "triton.fullname" . | quote }}
{{- end -}}

{{/* The label that tells one revision's Pods from another's. */}}
{{- define "triton.revisionLabel" -}}
{{ ternary "rollouts-pod-template-hash" "pod-template-hash" .Values.delivery.enabled }}
{{- end -}}

{{- define "triton.canaryService" -}}
{{ include "triton.fullname" . }}-canary
{{- end -}}

{{/*
The Pods of a Service that the controller points at one revision. It writes the revision into the selector, which Helm
must then name as it is: a selector is one value, and who applies another one is refused. Arguments: root, name.
*/}}
{{- define "triton.revisionSelector" -}}
{{ include "triton.selectorLabels" .root }}
{{- if .root.Values.delivery.enabled }}
{{- $live := lookup "v1" "Service" .root.Release.Namespace .name }}
{{- with dig "spec" "selector" "rollouts-pod-template-hash" "" (default dict $live) }}
rollouts-pod-template-hash: {{ . | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The share of the new revision in a route at the moment, in percent: an upgrade leaves it. Arguments: root, kind, name. */}}
{{- define "triton.canaryWeight" -}}
{{- $route := lookup "gateway.networking.k8s.io/v1" .kind .root.Release.Namespace .name -}}
{{- $canary := include "triton.canaryService" .root -}}
{{- $weight := 0 -}}
{{- range dig "spec" "rules" list (default dict $route) -}}
{{- range .backendRefs }}{{ if eq .name $canary }}{{ $weight = int .weight }}{{ end }}{{ end -}}
{{- end -}}
{{- $weight -}}
{{- end -}}

{{/* The routes that the controller gives weights, by kind, as its plugin for the Gateway API takes them. */}}
{{- define "triton.weightedRoutes" -}}
{{- $http := list -}}
{{- $grpc := list -}}
{{- $name := include "triton.fullname" . -}}
{{- if .Values.gateway.http.enabled -}}
{{- range $number, $_ := include "triton.publicHttpRoutes" . | fromJsonArray -}}
{{- $http = append $http (dict "name" (printf "%s-http%s" $name (ternary (printf "-%d" (add1 $number)) "" (gt $number 0)))) -}}
{{- end -}}
{{- end -}}
{{- if .Values.gateway.grpc.enabled -}}
{{- $route := dict "name" (printf "%s-grpc" $name) -}}
{{- if eq .Values.gateway.grpc.routeKind "GRPCRoute" }}{{ $grpc = append $grpc $route }}{{ else }}{{ $http = append $http $route }}{{ end -}}
{{- end -}}
{{- with $http }}
httpRoutes:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $grpc }}
grpcRoutes:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "triton.canaryStrategy" -}}
{{- $delivery := .Values.delivery -}}
canary:
  stableService: {{ include "triton.fullname" . | quote }}
  canaryService: {{ include "triton.canaryService" . }}
  # Until the gateway has followed; the Pods then drain by themselves.
  scaleDownDelaySeconds: {{ .Values.lifecycle.endpointPropagationSeconds }}
  abortScaleDownDelaySeconds: {{ .Values.lifecycle.endpointPropagationSeconds }}
  trafficRouting:
    plugins:
      argoproj-labs/gatewayAPI:
        namespace: {{ .Release.Namespace }}
        {{- include "triton.weightedRoutes" . | trim | nindent 8 }}
  steps:
    {{- if $delivery.measure.ratePerSecond }}
    # Measured before the first client meets it: one Pod, without a request from outside.
    - setCanaryScale: {replicas: 1}
    - analysis:
        templates:
          - templateName: {{ include "triton.fullname" . }}-measure
    - setCanaryScale: {matchTrafficWeight: true}
    {{- end }}
    {{- range $delivery.weights }}
    - setWeight: {{ . }}
    - analysis:
        templates:
          - templateName: {{ include "triton.fullname" $ }}-objective
        args:
          - name: revision
            valueFrom: {podTemplateHashValue: Latest}
    {{- end }}
{{- end -}}

{{/* What a new revision must keep, each time that it is looked at. Arguments: root, name, query, keeps. */}}
{{- define "triton.judgement" -}}
{{- $judgement := .root.Values.delivery.judgement -}}
- name: {{ .name }}
  initialDelay: {{ $judgement.windowSeconds }}s
  interval: {{ $judgement.intervalSeconds }}s
  count: {{ $judgement.count }}
  failureLimit: {{ $judgement.failureLimit }}
  # No series, or none that is a number, keeps nothing: what can't be judged is not promoted.
  successCondition: len(result) > 0 && result[0] {{ .keeps }}
  provider:
    prometheus:
      address: {{ $judgement.prometheusAddress | quote }}
      query: {{ .query | quote }}
{{- end -}}
