{{/*
What the Job and its workers do. A Job can't be changed, so its name follows from that: whatever differs there, by a value
or by another version of this chart, makes another Job.
*/}}

{{- define "locust.jobChecksum" -}}
{{- list (include "locust.jobSpec" .) (include "locust.jobWorkersSpec" .) | toJson | sha256sum | trunc 8 -}}
{{- end -}}

{{- define "locust.jobSpec" -}}
{{- $job := .Values.job }}
{{- $name := include "locust.fullname" . }}
# A measurement that was interrupted is not worth repeating unasked: its load would come as a surprise.
backoffLimit: 0
activeDeadlineSeconds: {{ $job.activeDeadlineSeconds | int64 }}
template:
  metadata:
    {{- include "locust.podMetadata" (dict "root" . "component" "job") | nindent 4 }}
  spec:
    {{- include "locust.podSpec" . | replace "automountServiceAccountToken: false" (printf "automountServiceAccountToken: %t" (eq $job.results "configMap")) | nindent 4 }}
    {{- if eq $job.results "configMap" }}
    serviceAccountName: {{ $name }}-job
    {{- end }}
    restartPolicy: Never
    {{- if eq $job.command "tune" }}
    # A tuner that is stopped first serves the model as it found it, which takes a load of the model.
    terminationGracePeriodSeconds: 300
    {{- end }}
    containers:
      - name: slo-tuner
        {{- include "locust.container" . | nindent 8 }}
        command: [slo-tuner, {{ $job.command }}]
        args:
          {{- if ne $job.command "ladder" }}
          - {{ .Values.target.model | quote }}
          {{- else }}
          - --models={{ join "," $job.models }}
          {{- end }}
          {{- if eq $job.command "sweep" }}
          - --through=direct={{ include "locust.address" . }}
          {{- range $name, $address := $job.through }}
          - {{ printf "--through=%s=%s" $name (tpl $address $ | trim) | quote }}
          {{- end }}
          {{- else }}
          - --address={{ include "locust.address" . }}
          {{- end }}
          {{- with include "locust.controlAddress" . }}
          - --control-address={{ . }}
          {{- end }}
          - --protocol={{ .Values.target.protocol }}
          - {{ printf "--objective=%s" .Values.objective | quote }}
          {{- if .Values.examples.source }}
          - --examples={{ include "locust.examples" . }}
          {{- end }}
          - --output=/results
          {{- if eq $job.results "configMap" }}
          - --save-configmap={{ $name }}-results
          {{- end }}
          {{- if $job.workers }}
          - --workers={{ $job.workers }}
          - "--workers-at=*:5557"
          - --workers-within-s={{ $job.workersWithinSeconds | int64 }}
          {{- end }}
          {{- range $job.extraArgs }}
          - {{ . | quote }}
          {{- end }}
        env:
          - {name: HOME, value: /tmp}
          - name: POD_NAMESPACE
            valueFrom:
              fieldRef: {fieldPath: metadata.namespace}
        {{- if $job.workers }}
        ports:
          - {name: workers, containerPort: 5557, protocol: TCP}
        {{- end }}
        resources:
          {{- toYaml $job.resources | nindent 10 }}
        volumeMounts:
          - {name: tmp, mountPath: /tmp}
          - {name: results, mountPath: /results}
          {{- include "locust.examplesMount" . | nindent 10 }}
          {{- include "locust.accessMount" . | nindent 10 }}
    volumes:
      - name: tmp
        emptyDir: {sizeLimit: 256Mi}
      - name: results
        {{- if eq $job.results "persistentVolumeClaim" }}
        persistentVolumeClaim: {claimName: {{ $job.persistentVolumeClaim.claimName | quote }}}
        {{- else }}
        emptyDir: {sizeLimit: 1Gi}
        {{- end }}
      {{- include "locust.examplesVolume" . | nindent 6 }}
      {{- include "locust.accessVolume" . | nindent 6 }}
{{- end -}}

{{- define "locust.jobWorkersSpec" -}}
{{- $job := .Values.job }}
{{- $name := include "locust.fullname" . }}
parallelism: {{ $job.workers }}
completions: {{ $job.workers }}
# Another worker would come too late: the load is dealt out to those that came first.
backoffLimit: 0
activeDeadlineSeconds: {{ $job.activeDeadlineSeconds | int64 }}
template:
  metadata:
    {{- include "locust.podMetadata" (dict "root" . "component" "job-worker") | nindent 4 }}
  spec:
    {{- include "locust.podSpec" . | nindent 4 }}
    {{- include "locust.spread" (dict "root" . "component" "job-worker") | nindent 4 }}
    restartPolicy: Never
    terminationGracePeriodSeconds: 5
    containers:
      - name: slo-tuner
        {{- include "locust.container" . | nindent 8 }}
        command: [slo-tuner, worker]
        args: [{{ printf "%s-job:5557" $name | quote }}]
        env:
          - {name: HOME, value: /tmp}
        resources:
          {{- toYaml .Values.workers.resources | nindent 10 }}
        volumeMounts:
          - {name: tmp, mountPath: /tmp}
          {{- include "locust.accessMount" . | nindent 10 }}
    volumes:
      - name: tmp
        emptyDir: {sizeLimit: 256Mi}
      {{- include "locust.accessVolume" . | nindent 6 }}
{{- end -}}
