{{- /*
What of Triton's API is for clients that come through a gateway or an Ingress: inference, health and what describes
models. Loading and unloading, shared memory, tracing and logging are not: the Service has them, in the cluster alone.
*/ -}}
{{- define "triton.publicHttpPaths" -}}
- {type: PathPrefix, path: /v2/models}
- {type: PathPrefix, path: /v2/health}
- {type: Exact, path: /v2/repository/index}
- {type: Exact, path: /v2}
{{- end -}}

{{- /* Lists of at most 8, which is as many as older versions of the Gateway API take in a rule. */ -}}
{{- define "triton.publicGrpcMethods" -}}
- - {service: inference.GRPCInferenceService, method: ModelInfer}
  - {service: inference.GRPCInferenceService, method: ModelStreamInfer}
  - {service: inference.GRPCInferenceService, method: ServerLive}
  - {service: inference.GRPCInferenceService, method: ServerReady}
  - {service: inference.GRPCInferenceService, method: ModelReady}
  - {service: grpc.health.v1.Health, method: Check}
- - {service: inference.GRPCInferenceService, method: ServerMetadata}
  - {service: inference.GRPCInferenceService, method: ModelMetadata}
  - {service: inference.GRPCInferenceService, method: ModelConfig}
  - {service: inference.GRPCInferenceService, method: ModelStatistics}
  - {service: inference.GRPCInferenceService, method: RepositoryIndex}
{{- end -}}

{{- /* The same as an Ingress has them. Arguments: root, protocol. */ -}}
{{- define "triton.ingressPaths" -}}
{{- if eq .protocol "http" -}}
{{- range include "triton.publicHttpPaths" .root | fromYamlArray }}
- {type: {{ .type | trimPrefix "Path" }}, path: {{ .path }}}
{{- end }}
{{- else -}}
{{- range include "triton.publicGrpcMethods" .root | fromYamlArray }}
{{- range . }}
- {type: Exact, path: /{{ .service }}/{{ .method }}}
{{- end }}
{{- end }}
{{- end -}}
{{- end -}}
