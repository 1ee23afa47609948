{{/* TensorFlow Serving's REST API beside Triton, where it is wanted. */}}

{{/*
A sidecar by Kubernetes' own meaning: it starts before Triton and stops after it. So requests that came through it end
within Triton's drain, which counts them. It has to start without Triton, or the two would wait for each other: the
start asks only whether it runs, readiness asks Triton.
*/}}
{{- define "triton.tfservingFront" -}}
{{- $front := .Values.tfservingFront -}}
- name: tfserving-front
  image: {{ include "triton.image" (dict "root" . "image" $front.image) | quote }}
  imagePullPolicy: {{ $front.image.pullPolicy }}
  restartPolicy: Always
  terminationMessagePolicy: FallbackToLogsOnError
  args:
    - --triton=localhost:8001
    - --port=8888
    - --timeout-s={{ $front.timeoutSeconds }}
    - --max-request-megabytes={{ $front.maxRequestMegabytes }}
    - --max-answer-megabytes={{ $front.maxAnswerMegabytes }}
    - --max-in-flight={{ $front.maxInFlight }}
  ports:
    - {name: tfserving, containerPort: 8888}
  startupProbe:
    httpGet: {path: /v2/health/live, port: tfserving}
    periodSeconds: 1
    timeoutSeconds: {{ .Values.probes.timeoutSeconds }}
    failureThreshold: 60
  readinessProbe:
    httpGet: {path: /v2/health/ready, port: tfserving}
    periodSeconds: {{ .Values.probes.readinessPeriodSeconds }}
    timeoutSeconds: {{ .Values.probes.timeoutSeconds }}
    failureThreshold: {{ .Values.probes.readinessFailureThreshold }}
  livenessProbe:
    httpGet: {path: /v2/health/live, port: tfserving}
    periodSeconds: {{ .Values.probes.livenessPeriodSeconds }}
    timeoutSeconds: {{ .Values.probes.timeoutSeconds }}
    failureThreshold: {{ .Values.probes.livenessFailureThreshold }}
  securityContext:
    {{- include "triton.containerSecurityContext" . | nindent 4 }}
  resources:
    {{- toYaml $front.resources | nindent 4 }}
{{- end -}}
