{{/* Whether a text is what Kubernetes takes as an address, or as a range of them. Each gives "true", or nothing. */}}

{{/* IPv4, or IPv6 in hexadecimal: eight groups, or fewer with one "::". */}}
{{- define "triton.isAddress" -}}
{{- $octet := "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])" -}}
{{- $groups := splitList ":" . | compact | len -}}
{{- $short := contains "::" . -}}
{{- if regexMatch (printf "^(%s\\.){3}%s$" $octet $octet) . -}}
true
{{- else if and (regexMatch "^(::|[0-9a-fA-F])([0-9a-fA-F:]*[0-9a-fA-F])?(::)?$" .) (not (regexMatch ":::|::.*::|[0-9a-fA-F]{5}" .)) (ternary (lt $groups 8) (eq $groups 8) $short) -}}
true
{{- end -}}
{{- end -}}

{{- define "triton.isRange" -}}
{{- $parts := splitList "/" . -}}
{{- $most := ternary 128 32 (contains ":" .) -}}
{{- if and (eq (len $parts) 2) (include "triton.isAddress" (first $parts)) (regexMatch "^(0|[1-9][0-9]{0,2})$" (last $parts)) -}}
{{- if le (int (last $parts)) $most }}true{{ end -}}
{{- end -}}
{{- end -}}
