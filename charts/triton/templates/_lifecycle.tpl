{{/* Times that follow from one another: drain, grace period, start. Each is a whole number of seconds. */}}

{{/*
How long a stopping Pod serves at least: until nobody new is sent to it, and until the last gRPC
connection has reached its age (gRPC spreads the age by 10 %).
*/}}
{{- define "triton.drainMinimumSeconds" -}}
{{- $age := int .Values.server.grpcMaxConnectionAgeSeconds -}}
{{- add (int .Values.lifecycle.endpointPropagationSeconds) (div (add (mul $age 11) 9) 10) -}}
{{- end -}}

{{- define "triton.derivedGracePeriodSeconds" -}}
{{- add (int .Values.lifecycle.drainDeadlineSeconds) (int .Values.server.exitTimeoutSeconds) 10 -}}
{{- end -}}

{{- define "triton.gracePeriodSeconds" -}}
{{- $given := int .Values.lifecycle.terminationGracePeriodSeconds -}}
{{- if $given }}{{ $given }}{{ else }}{{ include "triton.derivedGracePeriodSeconds" . }}{{ end -}}
{{- end -}}

{{/* A roll-out has failed when a Pod neither stopped nor started in the time that both may take. */}}
{{- define "triton.progressDeadlineSeconds" -}}
{{- add (include "triton.gracePeriodSeconds" .) (int .Values.probes.startupTimeoutSeconds) (int .Values.rollout.minReadySeconds) 60 -}}
{{- end -}}
