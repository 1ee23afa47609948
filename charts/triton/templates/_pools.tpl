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
Where requests from outside come in: each Gateway, or Ingress class, with each host name, as a JSON list of maps. `at`
says the entrance in words; `section` and `port` name a Gateway's listener, and are empty where a route attaches to all.
Arguments: values, root (for the release's name), door (gateway or ingress), protocol (http or grpc).
*/}}
{{- define "triton.entrances" -}}
{{- $found := list -}}
{{- $door := get .values .door -}}
{{- $route := get $door .protocol -}}
{{- if eq .door "ingress" -}}
{{- if and $door.enabled $route.host -}}
{{- range prepend $route.extraHosts $route.host }}{{ $found = append $found (dict "at" (printf "the Ingress class %s with host %s" (default "of the cluster" $door.className) .) "section" "" "port" "") }}{{ end -}}
{{- end -}}
{{- else if and $door.enabled $route.enabled -}}
{{- $hosts := default (list "*") $route.hostnames -}}
{{- range $parent := include "triton.parents" (dict "values" .values "root" .root) | fromJsonArray -}}
{{- range $hosts }}{{ $found = append $found (dict "at" (printf "the %s with host %s" $parent.at .) "section" $parent.section "port" $parent.port) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{/* What routes attach to, as a JSON list of maps as those of "triton.entrances". Arguments: values, root. */}}
{{- define "triton.parents" -}}
{{- $found := list -}}
{{- $gateway := .values.gateway -}}
{{- if $gateway.create.enabled }}{{ $found = append $found (dict "at" (printf "Gateway %s/%s" .root.Release.Namespace (include "triton.releaseName" .root)) "section" "" "port" "") }}{{ end -}}
{{- range $gateway.parentRefs -}}
{{- $kind := default "Gateway" .kind -}}
{{- with .group }}{{ if ne . "gateway.networking.k8s.io" }}{{ $kind = printf "%s.%s" $kind . }}{{ end }}{{ end -}}
{{- $port := ternary (printf "%d" (int .port)) "" (hasKey . "port") -}}
{{- $found = append $found (dict "at" (printf "%s %s/%s" $kind (default $.root.Release.Namespace .namespace) .name) "section" (default "" .sectionName) "port" $port) -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{/*
The first entrance that two pools share, in words; empty where there is none. Listeners that both are named, and not the
same, are two entrances. Arguments: two lists as JSON.
*/}}
{{- define "triton.sharedEntrance" -}}
{{- $others := last . | fromJsonArray -}}
{{- $shared := list -}}
{{- range $one := first . | fromJsonArray -}}
{{- range $other := $others -}}
{{- if and (eq $one.at $other.at) (not (include "triton.otherListener" (list $one $other))) }}{{ $shared = append $shared $one.at }}{{ end -}}
{{- end -}}
{{- end -}}
{{- with $shared }}{{ first . }}{{ end -}}
{{- end -}}

{{/* Whether two entrances of one Gateway are certain to be different listeners. Arguments: two of them. */}}
{{- define "triton.otherListener" -}}
{{- $one := first . -}}
{{- $other := last . -}}
{{- range list "section" "port" -}}
{{- if and (get $one .) (get $other .) (ne (get $one .) (get $other .)) }}true{{ end -}}
{{- end -}}
{{- end -}}

{{/*
Whether a pool answers for what is asked of a whole server, as health: behind one entrance that is the first pool, by
name, of those that share it. Empty where another does. Arguments: root, door.
*/}}
{{- define "triton.answersForServer" -}}
{{- $pool := get .root "Pool" | default "" -}}
{{- $answering := list -}}
{{- $answers := true -}}
{{- range $name, $values := get .root "Pools" | default dict -}}
{{- if le $name $pool -}}
{{- $own := include "triton.entrances" (dict "values" $values "root" $.root "door" $.door "protocol" "http") | fromJsonArray -}}
{{- $answers = not (include "triton.sharedEntrance" (list (toJson $own) (toJson $answering))) -}}
{{- if $answers }}{{ $answering = concat $answering $own }}{{ end -}}
{{- end -}}
{{- end -}}
{{- if $answers }}true{{ end -}}
{{- end -}}
