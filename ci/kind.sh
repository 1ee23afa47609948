#!/bin/bash
# Puts into the cluster of ci/kind.yaml what tests/integration needs: a pretended GPU, the Prometheus operator with a
# Prometheus that scrapes every namespace, and KEDA.
#   kind create cluster --config ci/kind.yaml --wait 5m && ci/kind.sh
set -euo pipefail
for program in kubectl helm; do
  command -v $program >/dev/null || { echo "kind.sh: $program is not on PATH: install it" >&2; exit 1; }
done
kubectl get node inference-worker >/dev/null || { echo "kind.sh: no cluster of ci/kind.yaml answers: kind create cluster --config ci/kind.yaml" >&2; exit 1; }

kubectl patch node inference-worker --subresource=status --type=merge \
  -p '{"status": {"capacity": {"nvidia.com/gpu": "1"}, "allocatable": {"nvidia.com/gpu": "1"}}}'
version=$(sed -n '/name: kube-prometheus-stack/,/repository:/s/^ *version: //p' "$(dirname "$0")/../charts/inference-system/Chart.yaml")
helm upgrade --install monitoring kube-prometheus-stack --repo https://prometheus-community.github.io/helm-charts \
  --version "$version" --namespace monitoring --create-namespace --wait --set grafana.enabled=false \
  --set prometheus.prometheusSpec.podMonitorSelectorNilUsesHelmValues=false \
  --set prometheus.prometheusSpec.ruleSelectorNilUsesHelmValues=false
helm upgrade --install keda keda --repo https://kedacore.github.io/charts --version 2.17.3 \
  --namespace keda --create-namespace --wait
