{{/* The model repository: where Triton reads it, and the volume and credentials that it needs. */}}

{{- define "triton.modelRepository" -}}
{{- $repository := .Values.modelRepository -}}
{{- if eq $repository.source "url" -}}
{{- $repository.url -}}
{{- else if $repository.path -}}
/models/{{ $repository.path }}
{{- else -}}
/models
{{- end -}}
{{- end -}}

{{/* Where model-repo-builder puts the repository that holds nothing but the alias of the first model. */}}
{{- define "triton.aliasRepository" -}}
{{ include "triton.modelRepository" . | trimSuffix "/" }}/{{ first .Values.modelRepository.models }}/1/alias
{{- end -}}

{{/* Every name that a request may ask for, as a JSON list: templates give text only. */}}
{{- define "triton.servedNames" -}}
{{- .Values.modelRepository.alias | list | compact | concat .Values.modelRepository.models | toJson -}}
{{- end -}}

{{/* The names that a request from outside may ask for: while two revisions serve, those that both have. As JSON. */}}
{{- define "triton.publicNames" -}}
{{- if .Values.delivery.enabled }}{{ list .Values.modelRepository.alias | toJson }}{{ else }}{{ include "triton.servedNames" . }}{{ end -}}
{{- end -}}

{{/* The port of the model source: that of an s3:// URL with a service's address in it, else that of HTTPS. */}}
{{- define "triton.modelSourcePort" -}}
{{- $service := include "triton.modelService" . -}}
{{- $port := regexFind ":[0-9]+$" $service | trimPrefix ":" -}}
{{- if $port }}{{ $port }}{{ else if hasPrefix "http://" $service }}80{{ else }}443{{ end -}}
{{- end -}}

{{/* SCHEME://HOST:PORT or HOST:PORT of an s3:// URL that names another service than Amazon's; else nothing. */}}
{{- define "triton.modelService" -}}
{{- $repository := .Values.modelRepository -}}
{{- if and (eq $repository.source "url") (hasPrefix "s3://" $repository.url) -}}
{{- regexFind "^(https?://[^/]+|[^/]+:[0-9]+)" (trimPrefix "s3://" $repository.url) -}}
{{- end -}}
{{- end -}}

{{- define "triton.modelVolume" -}}
{{- $repository := .Values.modelRepository -}}
{{- if eq $repository.source "persistentVolumeClaim" }}
- name: models
  persistentVolumeClaim:
    claimName: {{ $repository.persistentVolumeClaim.claimName | quote }}
    readOnly: true
{{- else if eq $repository.source "image" }}
- name: models
  image:
    reference: {{ $repository.image.reference | quote }}
    pullPolicy: {{ $repository.image.pullPolicy }}
{{- else if eq $repository.source "hostPath" }}
- name: models
  hostPath:
    path: {{ $repository.hostPath.path | quote }}
    type: Directory
{{- else if eq $repository.source "builder" }}
- name: models
  emptyDir:
    sizeLimit: {{ $repository.builder.sizeLimit }}
- name: plan
  {{- if .Values.delivery.enabled }}
  downwardAPI:
    items:
      - path: plan.yaml
        fieldRef: {fieldPath: "metadata.annotations['inference-system/plan']"}
  {{- else }}
  configMap:
    name: {{ include "triton.fullname" . }}-plan
  {{- end }}
{{- else if and (hasPrefix "gs://" $repository.url) $repository.credentials.secretName }}
- name: bucket-credentials
  secret:
    secretName: {{ $repository.credentials.secretName | quote }}
    items:
      - key: {{ $repository.credentials.key | quote }}
        path: key.json
{{- end }}
{{- end -}}

{{- define "triton.modelMount" -}}
{{- $repository := .Values.modelRepository -}}
{{- if ne $repository.source "url" }}
- name: models
  mountPath: /models
  readOnly: true
{{- else if and (hasPrefix "gs://" $repository.url) $repository.credentials.secretName }}
- name: bucket-credentials
  mountPath: /var/run/secrets/bucket
  readOnly: true
{{- end }}
{{- end -}}

{{- define "triton.modelEnv" -}}
{{- $repository := .Values.modelRepository -}}
{{- if and (eq $repository.source "url") $repository.credentials.secretName }}
{{- if hasPrefix "gs://" $repository.url }}
- name: GOOGLE_APPLICATION_CREDENTIALS
  value: /var/run/secrets/bucket/key.json
{{- else }}
{{- $azure := hasPrefix "as://" $repository.url }}
{{- $needed := ternary (list "AZURE_STORAGE_ACCOUNT" "AZURE_STORAGE_KEY") (list "AWS_ACCESS_KEY_ID" "AWS_SECRET_ACCESS_KEY") $azure }}
{{- $optional := ternary list (list "AWS_SESSION_TOKEN" "AWS_DEFAULT_REGION") $azure }}
{{- range concat $needed $optional }}
- name: {{ . }}
  valueFrom:
    secretKeyRef:
      name: {{ $repository.credentials.secretName | quote }}
      key: {{ . }}
      {{- if has . $optional }}
      optional: true
      {{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The tuned models, those with a tier, and the alias, which must not take larger batches than the model behind it. As JSON. */}}
{{- define "triton.tuning" -}}
{{- $repository := .Values.modelRepository -}}
{{- $tuning := deepCopy $repository.tuning -}}
{{- range $model, $declared := $repository.tiers -}}
{{- $_ := set $tuning $model (merge (dict "tier" $declared.tier) (default dict (get $tuning $model))) -}}
{{- end -}}
{{- with dig (first $repository.models) "maxBatchSize" 0 $tuning -}}
{{- if $repository.alias }}{{ $_ := set $tuning $repository.alias (dict "maxBatchSize" .) }}{{ end -}}
{{- end -}}
{{- toJson $tuning -}}
{{- end -}}
