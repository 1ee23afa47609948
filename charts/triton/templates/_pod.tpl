{{/* The parts of the server's Pod: containers and their security. */}}

{{- define "triton.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: {{ int64 .Values.security.runAsUser }}
runAsGroup: {{ int64 .Values.security.runAsGroup }}
fsGroup: {{ int64 .Values.security.runAsGroup }}
{{- /* Changing the owner of every file of a large repository would delay each start. */}}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "triton.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* The given resources with GPUs as a limit, which Kubernetes takes as the request too. Arguments: root, resources, gpus. */}}
{{- define "triton.resources" -}}
{{- $resources := deepCopy .resources -}}
{{- if .gpus -}}
{{- $limits := merge (dict .root.Values.gpu.resourceName .gpus) (default dict $resources.limits) -}}
{{- $_ := set $resources "limits" $limits -}}
{{- end -}}
{{- toYaml $resources -}}
{{- end -}}

{{/* Further containers, each with the chart's security context unless it has one of its own. Argument: their list. */}}
{{- define "triton.extraContainers" -}}
{{- range . }}
{{- $defaults := dict "securityContext" (include "triton.containerSecurityContext" . | fromYaml) "terminationMessagePolicy" "FallbackToLogsOnError" }}
- {{ merge (deepCopy (omit . "securityContext")) (pick . "securityContext") (omit $defaults (hasKey . "securityContext" | ternary "securityContext" "")) | toYaml | nindent 2 | trim }}
{{- end }}
{{- end -}}

{{/* How names are resolved in the Pod. */}}
{{- define "triton.resolution" -}}
{{- with .Values.pod.dnsPolicy }}
dnsPolicy: {{ . }}
{{- end }}
{{- with .Values.pod.dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.pod.hostAliases }}
hostAliases:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "triton.serverArgs" -}}
{{- $server := .Values.server -}}
- {{ printf "--model-repository=%s" (include "triton.modelRepository" .) | quote }}
{{- if .Values.modelRepository.alias }}
- {{ printf "--model-repository=%s" (include "triton.aliasRepository" .) | quote }}
{{- end }}
- --model-control-mode=explicit
{{- range include "triton.servedNames" . | fromJsonArray }}
- --load-model={{ . }}
{{- end }}
- --strict-readiness={{ $server.strictReadiness }}
- --http-port=8000
- --grpc-port=8001
- --metrics-port=8002
- --exit-timeout-secs={{ $server.exitTimeoutSeconds }}
- --log-format={{ $server.logFormat }}
- --log-verbose={{ $server.logVerbose }}
{{- with $server.grpcMaxConnectionAgeSeconds }}
- --grpc-max-connection-age={{ mul 1000 . }}
- --grpc-max-connection-age-grace={{ mul 1000 $server.grpcMaxConnectionAgeGraceSeconds }}
{{- end }}
{{- with $server.tls.secretName }}
- --grpc-use-ssl=true
- --grpc-server-cert=/etc/triton-tls/tls.crt
- --grpc-server-key=/etc/triton-tls/tls.key
{{- end }}
{{- if $server.tls.clientCaSecret }}
- --grpc-use-ssl-mutual=true
- --grpc-root-cert=/etc/triton-client-ca/ca.crt
{{- end }}
- --rate-limit={{ ternary "execution_count" $server.rateLimit.mode (gt (len .Values.modelRepository.tiers) 0) }}
{{- if .Values.modelRepository.tiers }}
- --rate-limit-resource=cpu:{{ $server.rateLimit.tierExecutions }}
- --rate-limit-resource=gpu:{{ $server.rateLimit.tierExecutions }}
{{- end }}
{{- range $server.rateLimit.resources }}
- --rate-limit-resource={{ . }}
{{- end }}
{{- with $server.responseCache.size }}
- --cache-config=local,size={{ include "triton.quantity" . | float64 | int64 }}
{{- end }}
{{- with $server.tracing }}
{{- if .otlpUrl }}
- --trace-config=mode=opentelemetry
- {{ printf "--trace-config=opentelemetry,url=%s" .otlpUrl | quote }}
- --trace-config=opentelemetry,resource=service.name={{ default (include "triton.fullname" $) .serviceName }}
- --trace-config=rate={{ int64 .rate }}
- --trace-config=level=TIMESTAMPS
{{- end }}
{{- end }}
{{- range $server.extraArgs }}
- {{ . | quote }}
{{- end }}
{{- end -}}

{{/* The files of Triton's own TLS. */}}
{{- define "triton.tlsMount" -}}
{{- with .Values.server.tls }}
{{- if .secretName }}
- {name: tls, mountPath: /etc/triton-tls, readOnly: true}
{{- end }}
{{- if .clientCaSecret }}
- {name: client-ca, mountPath: /etc/triton-client-ca, readOnly: true}
{{- end }}
{{- end }}
{{- end -}}

{{- define "triton.tlsVolume" -}}
{{- with .Values.server.tls }}
{{- if .secretName }}
- name: tls
  secret:
    secretName: {{ .secretName | quote }}
    defaultMode: 0440
    items: [{key: tls.crt, path: tls.crt}, {key: tls.key, path: tls.key}]
{{- end }}
{{- if .clientCaSecret }}
- name: client-ca
  secret:
    secretName: {{ .clientCaSecret | quote }}
    defaultMode: 0440
    items: [{key: ca.crt, path: ca.crt}]
{{- end }}
{{- end }}
{{- end -}}

{{- define "triton.probes" -}}
{{- $probes := .Values.probes -}}
# Triton opens its ports after loading, so only the start waits for that.
startupProbe:
  httpGet: {path: /v2/health/ready, port: http}
  periodSeconds: 5
  timeoutSeconds: {{ $probes.timeoutSeconds }}
  failureThreshold: {{ div (add (int $probes.startupTimeoutSeconds) 4) 5 }}
readinessProbe:
  httpGet: {path: /v2/health/ready, port: http}
  periodSeconds: {{ $probes.readinessPeriodSeconds }}
  timeoutSeconds: {{ $probes.timeoutSeconds }}
  failureThreshold: {{ $probes.readinessFailureThreshold }}
livenessProbe:
  httpGet: {path: /v2/health/live, port: http}
  periodSeconds: {{ $probes.livenessPeriodSeconds }}
  timeoutSeconds: {{ $probes.timeoutSeconds }}
  failureThreshold: {{ $probes.livenessFailureThreshold }}
{{- end -}}

{{- define "triton.builderContainer" -}}
{{- $builder := .Values.modelRepository.builder -}}
- name: model-builder
  image: {{ include "triton.image" (dict "root" . "image" $builder.image) | quote }}
  imagePullPolicy: {{ $builder.image.pullPolicy }}
  command: [model-repo-builder, build, /plan/plan.yaml, --output, {{ include "triton.modelRepository" . | quote }}]
  {{- with $builder.extraArgs }}
  args:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  env:
    # The root is read-only: caches and downloaded weights go to /tmp.
    - name: HOME
      value: /tmp
    {{- with $builder.extraEnv }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with $builder.extraEnvFrom }}
  envFrom:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  terminationMessagePolicy: FallbackToLogsOnError
  securityContext:
    {{- include "triton.containerSecurityContext" . | nindent 4 }}
  resources:
    {{- include "triton.resources" (dict "root" . "resources" $builder.resources "gpus" (ternary .Values.gpu.count 0 $builder.useGpu)) | nindent 4 }}
  volumeMounts:
    - name: models
      mountPath: /models
    - name: plan
      mountPath: /plan
      readOnly: true
    - name: tmp
      mountPath: /tmp
    {{- with $builder.extraVolumeMounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}
