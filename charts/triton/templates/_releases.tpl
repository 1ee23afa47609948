{{/* Which models a release of NVIDIA's image serves: files/releases.yaml, asked about the values. */}}

{{/*
The release of NVIDIA's image, as "25.02", and what follows it in the tag; an empty map for any other image, or a digest.
*/}}
{{- define "triton.release" -}}
{{- $image := .Values.image -}}
{{- $parts := regexFindAll "^[0-9]{2}\\.[0-9]{2}-|.+$" $image.tag -1 -}}
{{- if and (hasSuffix "tritonserver" $image.repository) (not $image.digest) (eq (len $parts) 2) -}}
{{- dict "number" (trimSuffix "-" (first $parts)) "flavour" (last $parts) | toJson -}}
{{- else -}}
{}
{{- end -}}
{{- end -}}

{{/*
The engine that built a model: as the values say, or the builder's plan, or the plans of this product; empty where none
of them knows. A plan for the runtime python needs no backend of the image. Arguments: root, model.
*/}}
{{- define "triton.engineOf" -}}
{{- $repository := .root.Values.modelRepository -}}
{{- $known := (.root.Files.Get "files/releases.yaml" | fromYaml).variants -}}
{{- if hasKey $repository.engines .model -}}
{{- get $repository.engines .model -}}
{{- else if eq $repository.source "builder" -}}
{{- $plan := fromYaml $repository.builder.plan -}}
{{- $usual := ternary $plan.defaults dict (kindIs "map" $plan.defaults) -}}
{{- $python := or (eq (toString $plan.runtime) "python") (has "--runtime=python" $repository.builder.extraArgs) (has "python" $repository.builder.extraArgs) -}}
{{- range $variant := ternary list $plan.variants $python -}}
{{- if and (kindIs "map" $variant) (eq (toString (get (default dict $variant) "name")) $.model) -}}
{{- default (get $usual "engine") (get $variant "engine") -}}
{{- end -}}
{{- end -}}
{{- else -}}
{{- get $known .model -}}
{{- end -}}
{{- end -}}
