{{- define "paddock.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "paddock.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "paddock.image" -}}
{{ required "Set image to a reference of Paddock's worker image; `paddock image push REGISTRY/PATH` makes one and prints it first." .Values.image }}
{{- end }}

{{/* Records of all runs lie in one namespace, by a name that every client knows. */}}
{{- define "paddock.namespace" -}}
{{- if ne .Release.Namespace "paddock-system" -}}
{{- fail (printf "Paddock keeps its records in the namespace paddock-system, and this release would go to %s. Install it with: --namespace=paddock-system --create-namespace" .Release.Namespace) -}}
{{- end -}}
{{ .Release.Namespace }}
{{- end }}
