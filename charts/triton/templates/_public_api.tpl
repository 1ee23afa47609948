{{- /*
What of Triton's API is for clients that come through a gateway or an Ingress: inference, health and what describes
models. Everything else stays in the cluster, where the Service has it: loading and unloading, statistics, shared memory,
tracing and logging.

Each path stands for itself, as a prefix would take in what Triton serves below it: /v2/models/NAME/trace/setting.
Arguments: root, door (gateway or ingress).
*/ -}}
{{- define "triton.publicHttpPaths" -}}
{{- if include "triton.answersForServer" . }}
- /v2
- /v2/health/live
- /v2/health/ready
- /v2/repository/index
{{- end }}
{{- range $name := include "triton.publicNames" .root | fromJsonArray }}
{{- range $version := concat (list "") $.root.Values.publicApi.modelVersions }}
{{- $model := printf "/v2/models/%s" $name }}
{{- if $version }}{{ $model = printf "%s/versions/%d" $model (int64 $version) }}{{ end }}
- {{ $model }}
{{- range list "infer" "generate" "generate_stream" "ready" "config" }}
- {{ $model }}/{{ . }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "triton.publicGrpcMethods" -}}
{{- range list "ModelInfer" "ModelStreamInfer" "ServerLive" "ServerReady" "ModelReady" "ServerMetadata" "ModelMetadata" "ModelConfig" "RepositoryIndex" }}
- {service: inference.GRPCInferenceService, method: {{ . }}}
{{- end }}
- {service: grpc.health.v1.Health, method: Check}
{{- end -}}

{{- /*
The paths of routes for HTTP, as a list of routes, each a list of rules, each a list of paths: a rule takes 8 matches in
older versions of the Gateway API, a route 16 rules. One rule of the first route is for the REST front.
*/ -}}
{{- define "triton.publicHttpRoutes" -}}
{{- $routes := list -}}
{{- range chunk 15 (chunk 8 (include "triton.publicHttpPaths" (dict "root" . "door" "gateway") | fromYamlArray)) -}}
{{- $routes = append $routes . -}}
{{- end -}}
{{- toJson $routes -}}
{{- end -}}

{{- /* The same as an Ingress has them. Arguments: root, protocol. */ -}}
{{- define "triton.ingressPaths" -}}
{{- if eq .protocol "http" -}}
{{- include "triton.publicHttpPaths" (dict "root" .root "door" "ingress") -}}
{{- else -}}
{{- range include "triton.publicGrpcMethods" .root | fromYamlArray }}
- /{{ .service }}/{{ .method }}
{{- end }}
{{- end -}}
{{- end -}}
