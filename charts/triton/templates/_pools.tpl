{{/* Several pools of servers in one release: each renders the templates as a release of its own would. */}}

{{/*
The template that asks, once for each pool: with the pool's values, and its name as .Pool, which names and selectors hold.
presets/first/apply.yaml has put the pool's values over the release's by then. Argument: the root.
*/}}
{{- define "triton.eachPool" -}}
{{- range $name, $values := .Values.pools }}
---
{{ include $.Template.Name (dict "Pool" $name "Values" $values "Release" $.Release "Chart" $.Chart "Capabilities" $.Capabilities "Files" $.Files "Template" $.Template "Pools" $.Values.pools) }}
{{- end }}
{{- end -}}

{{/* Ends the installation with a line that names the value, and the pool that it is of. Arguments: a list of root, text. */}}
{{- define "triton.refuse" -}}
{{- with get (first .) "Pool" -}}
{{- fail (printf "pools.%s%s%s" . (ternary "." ": " (regexMatch "^[A-Za-z]+[.]" (last $))) (last $)) -}}
{{- end -}}
{{- fail (last .) -}}
{{- end -}}

{{/* Puts values over others, as Helm merges files: maps by key, everything else replaced. Arguments: values, over. */}}
{{- define "triton.overlay" -}}
{{- range $name, $new := .over -}}
{{- $now := get $.values $name -}}
{{- if and (kindIs "map" $new) (kindIs "map" $now) -}}
{{- include "triton.overlay" (dict "values" $now "over" $new) -}}
{{- else -}}
{{- $_ := set $.values $name $new -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
Where requests from outside come in: each Gateway, or Ingress class, with each host name, as a JSON list. Arguments:
values, root (for the release's name), door (gateway or ingress), protocol (http or grpc).
*/}}
{{- define "triton.entrances" -}}
{{- $found := list -}}
{{- $door := get .values .door -}}
{{- $route := get $door .protocol -}}
{{- if eq .door "ingress" -}}
{{- if and $door.enabled $route.host -}}
{{- range prepend $route.extraHosts $route.host }}{{ $found = append $found (printf "the Ingress class %s with host %s" (default "of the cluster" $door.className) .) }}{{ end -}}
{{- end -}}
{{- else if and $door.enabled $route.enabled -}}
{{- $gateways := list -}}
{{- if $door.create.enabled }}{{ $gateways = append $gateways (printf "%s/%s" .root.Release.Namespace (include "triton.releaseName" .root)) }}{{ end -}}
{{- range $door.parentRefs }}{{ $gateways = append $gateways (printf "%s/%s" (default $.root.Release.Namespace .namespace) .name) }}{{ end -}}
{{- range $gateway := uniq $gateways -}}
{{- range default (list "*") $route.hostnames }}{{ $found = append $found (printf "the Gateway %s with host %s" $gateway .) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{/* The first entrance that two pools share; empty where there is none. Arguments: two lists as JSON. */}}
{{- define "triton.sharedEntrance" -}}
{{- $other := last . | fromJsonArray -}}
{{- $shared := list -}}
{{- range first . | fromJsonArray }}{{ if has . $other }}{{ $shared = append $shared . }}{{ end }}{{ end -}}
{{- with $shared }}{{ first . }}{{ end -}}
{{- end -}}

{{/*
Whether a pool answers for what is asked of a whole server, as health: behind one entrance that is the first pool, by
name, of those that share it. Empty where another does. Arguments: root, door.
*/}}
{{- define "triton.answersForServer" -}}
{{- $own := include "triton.entrances" (dict "values" .root.Values "root" .root "door" .door "protocol" "http") -}}
{{- $first := true -}}
{{- range $name, $values := get .root "Pools" | default dict -}}
{{- if lt $name $.root.Pool -}}
{{- $theirs := include "triton.entrances" (dict "values" $values "root" $.root "door" $.door "protocol" "http") -}}
{{- if include "triton.sharedEntrance" (list $own $theirs) }}{{ $first = false }}{{ end -}}
{{- end -}}
{{- end -}}
{{- if $first }}true{{ end -}}
{{- end -}}
