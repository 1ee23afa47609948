{{/* Which nodes the Pods go to. */}}

{{- define "triton.placement" -}}
{{- $placement := .Values.placement -}}
{{- $own := dict "labelSelector" (dict "matchLabels" (include "triton.selectorLabels" . | fromYaml)) }}
topologySpreadConstraints:
  {{- range $placement.topologySpreadConstraints }}
  - {{ merge (omit . "labelSelector") (hasKey . "labelSelector" | ternary (pick . "labelSelector") $own) | toYaml | nindent 4 | trim }}
  {{- else }}
  - maxSkew: 1
    topologyKey: topology.kubernetes.io/zone
    whenUnsatisfiable: {{ $placement.zoneSpread }}
    # A zone whose nodes are all cordoned counts as none, or it would hold back the Pods of all others.
    nodeTaintsPolicy: Honor
    labelSelector:
      matchLabels:
        {{- include "triton.selectorLabels" . | nindent 8 }}
    # Each revision is spread by itself: counting the Pods that it replaces would leave it uneven.
    matchLabelKeys: [{{ include "triton.revisionLabel" . }}]
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    nodeTaintsPolicy: Honor
    labelSelector:
      matchLabels:
        {{- include "triton.selectorLabels" . | nindent 8 }}
    matchLabelKeys: [{{ include "triton.revisionLabel" . }}]
  {{- end }}
{{- with include "triton.affinity" . | trim }}
affinity:
  {{- . | nindent 2 }}
{{- end }}
{{- with $placement.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $placement.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $placement.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with $placement.runtimeClassName }}
runtimeClassName: {{ . | quote }}
{{- end }}
{{- with $placement.schedulerName }}
schedulerName: {{ . | quote }}
{{- end }}
{{- end -}}

{{- define "triton.affinity" -}}
{{- with .Values.placement.affinity }}
{{- toYaml . }}
{{- end }}
{{- if .Values.placement.onePodPerNode }}
podAntiAffinity:
  requiredDuringSchedulingIgnoredDuringExecution:
    - topologyKey: kubernetes.io/hostname
      labelSelector:
        matchLabels:
          {{- include "triton.selectorLabels" . | nindent 10 }}
{{- end }}
{{- end -}}
