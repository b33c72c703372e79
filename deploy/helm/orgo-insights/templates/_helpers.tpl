{{/* The name of a component: release and component. Takes (list . "reports-api"). */}}
{{- define "insights.name" -}}
{{- $root := index . 0 -}}
{{- printf "%s-%s" (trunc 40 $root.Release.Name | trimSuffix "-") (index . 1) -}}
{{- end }}

{{/* The labels by which a component is selected. Takes (list . "reports-api"). */}}
{{- define "insights.selector" -}}
app.kubernetes.io/name: orgo-insights
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* All labels of a component. */}}
{{- define "insights.labels" -}}
{{ include "insights.selector" . }}
app.kubernetes.io/version: {{ (index . 0).Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ (index . 0).Release.Service }}
helm.sh/chart: {{ (index . 0).Chart.Name }}-{{ (index . 0).Chart.Version }}
{{- end }}

{{/* The image of a target of the Containerfile. Takes (list . "api"). */}}
{{- define "insights.image" -}}
{{- $root := index . 0 -}}
image: {{ printf "%s-%s:%s" $root.Values.image.repository (index . 1) ($root.Values.image.tag | default $root.Chart.AppVersion) | quote }}
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
{{- end }}

{{/* config.yaml: the shipped file with the values of `config`. */}}
{{- define "insights.config" -}}
{{- mergeOverwrite (.Files.Get "files/config.yaml" | fromYaml) (deepCopy .Values.config) | toYaml -}}
{{- end }}

{{/* The files of the ConfigMap. */}}
{{- define "insights.configFiles" -}}
config.yaml: |
  {{- include "insights.config" . | nindent 2 }}
{{- range $name, $text := .Values.configFiles }}
{{- if not (has $name (list "dags.yaml" "organization_profiles.yaml")) }}
{{- fail (printf "configFiles has %s: only dags.yaml and organization_profiles.yaml are read; keys of config.yaml belong to `config`." $name) }}
{{- end }}
{{ $name }}: |
  {{- $text | nindent 2 }}
{{- end }}
{{- end }}

{{/* What all pods say about themselves and their user. */}}
{{- define "insights.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: { type: RuntimeDefault }
{{- with .Values.image.pullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* What all containers are held to. */}}
{{- define "insights.container" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- end }}

{{/* The variables of a container. Takes (dict "root" . "secrets" MAP "airflow" MAP "env" MAP). */}}
{{- define "insights.env" -}}
- name: INSIGHTS_ENV
  value: {{ .root.Values.environment }}
- name: INSIGHTS_CONFIG
  value: /etc/insights
{{- range $name := keys .secrets | sortAlpha }}
- name: {{ $name }}_FILE
  value: /run/secrets/insights/{{ $name }}
{{- end }}
{{- range $name := keys (.airflow | default dict) | sortAlpha }}
- name: {{ $name }}_CMD
  value: cat /run/secrets/insights/{{ $name }}
{{- end }}
{{- range $name := keys (.env | default dict) | sortAlpha }}
- name: {{ $name }}
  value: {{ get $.env $name | quote }}
{{- end }}
{{- end }}

{{/* Where a container finds its configuration and secrets, and where it may write. */}}
{{- define "insights.mounts" -}}
- { name: config, mountPath: /etc/insights, readOnly: true }
- { name: secrets, mountPath: /run/secrets/insights, readOnly: true }
- { name: tmp, mountPath: /tmp }
{{- end }}

{{/* The volumes of a pod. Takes (dict "config" NAME "secrets" MAP "tmp" SIZE). */}}
{{- define "insights.volumes" -}}
- name: config
  configMap:
    name: {{ .config }}
    items:
      - { key: config.yaml, path: insights/config.yaml }
      {{- if .files }}
      {{- if hasKey .files "dags.yaml" }}
      - { key: dags.yaml, path: insights/dags.yaml }
      {{- end }}
      {{- if hasKey .files "organization_profiles.yaml" }}
      - { key: organization_profiles.yaml, path: organization_profiles.yaml }
      {{- end }}
      {{- end }}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      {{- range $name := keys .secrets | sortAlpha }}
      {{- $reference := get $.secrets $name }}
      - secret:
          name: {{ $reference.secret }}
          items: [{ key: {{ $reference.key }}, path: {{ $name }} }]
      {{- end }}
- name: tmp
  emptyDir: { sizeLimit: {{ .tmp }} }
{{- end }}

{{/* Changes with the configuration, so that pods start again when it does. */}}
{{- define "insights.checksum" -}}
checksum/config: {{ include "insights.configFiles" . | sha256sum }}
{{- end }}
