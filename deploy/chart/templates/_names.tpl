{{/* The namespace of the guard. Policies and webhooks name it, so it is not a value. */}}
{{- define "guard.namespace" -}}aksarc-system{{- end -}}

{{/* Labels of all objects, as YAML. */}}
{{- define "guard.labels" -}}
{{- $own := dict
  "app.kubernetes.io/name" "aksarc-guard"
  "app.kubernetes.io/instance" .Release.Name
  "app.kubernetes.io/version" .Chart.AppVersion
  "app.kubernetes.io/managed-by" .Release.Service
  "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_") -}}
{{- toYaml (merge $own .Values.labels) -}}
{{- end -}}

{{/* Labels of what is no part of the guard itself: no Service and no budget may select its pods. As YAML. */}}
{{- define "guard.labelsBeside" -}}
{{- toYaml (merge (dict "app.kubernetes.io/name" .name) (include "guard.labels" .root | fromYaml)) -}}
{{- end -}}

{{/* An object, with the labels and annotations of all objects besides its own: `root` and `object`. */}}
{{- define "guard.object" -}}
{{- if hasKey .object "Error" }}{{ fail (printf "a generated file is damaged: %s" .object.Error) }}{{ end -}}
{{- $meta := .object.metadata -}}
{{- $_ := set $meta "labels" (merge ($meta.labels | default dict | deepCopy) (include "guard.labels" .root | fromYaml)) -}}
{{- with merge ($meta.annotations | default dict) .root.Values.annotations -}}
{{- $_ := set $meta "annotations" . -}}
{{- end -}}
---
{{ toYaml .object }}
{{ end -}}

{{/* "true" where a part is on: `value` is auto, on or off, and `auto` what auto means. */}}
{{- define "guard.on" -}}
{{- $value := toString .value -}}
{{- if or (has $value (list "on" "true")) (and (eq $value "auto") .auto) -}}true{{- end -}}
{{- end -}}

{{/* "true" where the API server has policies. The whole version counts: some vendors report a minor such as 28+. */}}
{{- define "guard.hasPolicies" -}}
{{- if semverCompare ">=1.30.0-0" .Capabilities.KubeVersion.Version -}}true{{- end -}}
{{- end -}}

{{/* "true" where policies are on: `root`, and `name` of their value. */}}
{{- define "guard.policies" -}}
{{- $has := include "guard.hasPolicies" .root -}}
{{- $on := include "guard.on" (dict "value" (get .root.Values .name) "auto" $has) -}}
{{- if and $on (not $has) -}}
{{- fail (printf "%s: on needs Kubernetes 1.30, and this is %s: set it to auto" .name .root.Capabilities.KubeVersion.Version) -}}
{{- end -}}
{{- $on -}}
{{- end -}}
{{- define "guard.protection" -}}{{ include "guard.policies" (dict "root" . "name" "protection") }}{{- end -}}
{{- define "guard.rulePolicies" -}}{{ include "guard.policies" (dict "root" . "name" "rulePolicies") }}{{- end -}}

{{- define "guard.hooks" -}}
{{- include "guard.on" (dict "value" .Values.hooks "auto" (include "guard.hasPolicies" .)) -}}
{{- end -}}

{{/* An image by digest or tag: `root` and `image`. */}}
{{- define "guard.image" -}}
{{- $registry := .image.registry | default .root.Values.global.imageRegistry -}}
{{- $name := .image.repository -}}
{{- if $registry }}{{ $name = printf "%s/%s" (trimSuffix "/" $registry) $name }}{{ end -}}
{{- if .image.digest -}}{{ printf "%s@%s" $name .image.digest }}
{{- else -}}{{ printf "%s:%s" $name (.image.tag | default .root.Chart.AppVersion) }}
{{- end -}}
{{- end -}}

{{/* What every pod has besides its containers. */}}
{{- define "guard.pod" -}}
enableServiceLinks: false
{{- with concat .Values.global.imagePullSecrets .Values.imagePullSecrets | uniq }}
imagePullSecrets:
{{- range . }}
- name: {{ . | quote }}
{{- end }}
{{- end }}
nodeSelector:
  {{- toYaml (merge (dict "kubernetes.io/os" "linux") .Values.nodeSelector) | nindent 2 }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  fsGroup: 65532
  runAsGroup: 65532
  runAsNonRoot: true
  runAsUser: 65532
  seccompProfile:
    type: RuntimeDefault
{{- end -}}

{{/* What every container has: `image`. */}}
{{- define "guard.container" -}}
imagePullPolicy: {{ .image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  capabilities:
    drop: [ALL]
  readOnlyRootFilesystem: true
{{- end -}}

{{/* A port of the guard's pods: `root`, `port`, and `usual`, to which the nodes' network adds 21000. */}}
{{- define "guard.port" -}}
{{- .port | default (ternary (add .usual 21000) .usual .root.Values.hostNetwork) | int -}}
{{- end -}}
{{- define "guard.reviewPort" -}}{{ include "guard.port" (dict "root" . "port" .Values.ports.review "usual" 8443) }}{{- end -}}
{{- define "guard.metricsPort" -}}{{ include "guard.port" (dict "root" . "port" .Values.ports.metrics "usual" 8080) }}{{- end -}}
{{- define "guard.probePort" -}}{{ include "guard.port" (dict "root" . "port" .Values.ports.probe "usual" 8081) }}{{- end -}}
