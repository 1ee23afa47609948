{{/* What all Pods share: security, placement, environment. */}}

{{- define "locust.podSpec" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: {{ int64 .Values.security.runAsUser }}
  runAsGroup: {{ int64 .Values.security.runAsGroup }}
  fsGroup: {{ int64 .Values.security.runAsGroup }}
  seccompProfile:
    type: RuntimeDefault
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.placement.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.placement.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.placement.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- end -}}

{{/* Workers on different nodes, where there are some. Arguments: root, component. */}}
{{- define "locust.spread" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "locust.selectorLabels" . | nindent 8 }}
{{- end -}}

{{- define "locust.container" -}}
image: {{ include "locust.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
# What ends with an error says why in its status, which `kubectl describe` shows.
terminationMessagePolicy: FallbackToLogsOnError
envFrom:
  - configMapRef:
      name: {{ include "locust.fullname" . | quote }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  runAsNonRoot: true
  capabilities:
    drop: [ALL]
  seccompProfile:
    type: RuntimeDefault
{{- end -}}

{{/* Where the rows of requests are, in every Pod that makes requests of them. */}}
{{- define "locust.examples" -}}
/examples{{ with .Values.examples.path }}/{{ . }}{{ end }}
{{- end -}}

{{- define "locust.examplesMount" -}}
{{- if .Values.examples.source }}
- {name: examples, mountPath: /examples, readOnly: true}
{{- end }}
{{- end -}}

{{- define "locust.examplesVolume" -}}
{{- $examples := .Values.examples -}}
{{- if eq $examples.source "configMap" }}
- name: examples
  configMap:
    name: {{ $examples.configMap.name | quote }}
{{- else if eq $examples.source "persistentVolumeClaim" }}
- name: examples
  persistentVolumeClaim:
    claimName: {{ $examples.persistentVolumeClaim.claimName | quote }}
    readOnly: true
{{- else if eq $examples.source "image" }}
- name: examples
  image:
    reference: {{ $examples.image.reference | quote }}
    pullPolicy: {{ $examples.image.pullPolicy }}
{{- end }}
{{- end -}}

{{/* What proves who the load is, and whom it trusts, in every Pod: a master reads the same settings as its workers. */}}
{{- define "locust.accessMount" -}}
{{- with .Values.access }}
{{- if .tls.caSecret }}
- {name: ca, mountPath: /access/ca, readOnly: true}
{{- end }}
{{- if .tls.clientSecret }}
- {name: client-certificate, mountPath: /access/client, readOnly: true}
{{- end }}
{{- if .token.secret }}
- {name: token, mountPath: /access/token, readOnly: true}
{{- end }}
{{- end }}
{{- end -}}

{{- define "locust.accessVolume" -}}
{{- with .Values.access }}
{{- if .tls.caSecret }}
- name: ca
  secret:
    secretName: {{ .tls.caSecret | quote }}
    defaultMode: 0440
    items: [{key: ca.crt, path: ca.crt}]
{{- end }}
{{- if .tls.clientSecret }}
- name: client-certificate
  secret:
    secretName: {{ .tls.clientSecret | quote }}
    defaultMode: 0440
    items: [{key: tls.crt, path: tls.crt}, {key: tls.key, path: tls.key}]
{{- end }}
{{- if .token.secret }}
- name: token
  secret:
    secretName: {{ .token.secret | quote }}
    defaultMode: 0440
    items: [{key: {{ .token.key | quote }}, path: token}]
{{- end }}
{{- end }}
{{- end -}}

{{/* A changed model or rate restarts the Pods, which read them when they start. */}}
{{- define "locust.podMetadata" -}}
annotations:
  checksum/config: {{ include "locust.environment" .root | sha256sum }}
  {{- with .root.Values.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
labels:
  {{- include "locust.podLabels" . | nindent 2 }}
{{- end -}}

{{/* Variables of the load (slo_tuner) and of Locust itself. */}}
{{- define "locust.environment" -}}
SLO_TUNER_ADDRESS: {{ include "locust.address" . | quote }}
{{- with include "locust.controlAddress" . }}
SLO_TUNER_CONTROL_ADDRESS: {{ . | quote }}
{{- end }}
SLO_TUNER_PROTOCOL: {{ .Values.target.protocol | quote }}
{{- with .Values.access }}
{{- if .tls.enabled }}
SLO_TUNER_TLS: "true"
{{- end }}
{{- if .tls.caSecret }}
SLO_TUNER_CA: /access/ca/ca.crt
{{- end }}
{{- if .tls.clientSecret }}
SLO_TUNER_CLIENT_CERTIFICATE: /access/client/tls.crt
SLO_TUNER_CLIENT_KEY: /access/client/tls.key
{{- end }}
{{- with .tls.serverName }}
SLO_TUNER_SERVER_NAME: {{ . | quote }}
{{- end }}
{{- if .headers }}
{{- $lines := list }}
{{- range $name, $value := .headers }}{{ $lines = append $lines (printf "%s=%s" $name $value) }}{{ end }}
SLO_TUNER_HEADERS: {{ join "\n" $lines | quote }}
{{- end }}
{{- if .token.secret }}
SLO_TUNER_TOKEN_FILE: /access/token/token
{{- end }}
{{- if .retries }}
SLO_TUNER_RETRIES: "true"
{{- end }}
{{- end }}
SLO_TUNER_MODEL: {{ .Values.target.model | quote }}
SLO_TUNER_MODE: {{ .Values.load.mode | quote }}
SLO_TUNER_OBJECTIVE: {{ .Values.objective | quote }}
{{- if .Values.examples.source }}
SLO_TUNER_EXAMPLES: {{ include "locust.examples" . | quote }}
{{- end }}
SLO_TUNER_TIMEOUT_S: {{ .Values.load.timeoutS | quote }}
{{- if eq .Values.load.mode "open" }}
SLO_TUNER_RATE_PER_S: {{ .Values.load.ratePerS | quote }}
{{- else }}
SLO_TUNER_USER_RATE_PER_S: {{ .Values.load.userRatePerS | quote }}
{{- end }}
LOCUST_USERS: {{ .Values.load.users | int64 | quote }}
LOCUST_SPAWN_RATE: {{ .Values.load.spawnRate | quote }}
{{- with .Values.load.runTime }}
LOCUST_RUN_TIME: {{ . | quote }}
{{- end }}
{{- if .Values.load.autostart }}
LOCUST_AUTOSTART: "true"
{{- end }}
LOCUST_EXPECT_WORKERS: {{ .Values.workers.replicas | quote }}
{{- end -}}
