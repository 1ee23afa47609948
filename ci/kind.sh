#!/bin/bash
# Puts into the cluster of ci/kind.yaml what tests/integration needs: a pretended GPU, the Prometheus operator with a
# Prometheus that scrapes every namespace, and KEDA.
#   kind create cluster --config ci/kind.yaml --wait 5m && ci/kind.sh
set -euo pipefail
cd "$(dirname "$0")/.."
fail() { echo "kind.sh: $*" >&2; exit 1; }
for program in kubectl helm; do
  command -v $program >/dev/null || fail "$program is not on PATH: install it"
done
kubectl get node inference-worker >/dev/null 2>&1 ||
  fail "no cluster of ci/kind.yaml answers; allowed: one made by kind create cluster --config ci/kind.yaml"

kubectl patch node inference-worker --subresource=status --type=merge \
  -p '{"status": {"capacity": {"nvidia.com/gpu": "1"}, "allocatable": {"nvidia.com/gpu": "1"}}}'
chart=charts/inference-system/Chart.yaml
version=$(sed -n '/^dependencies:/,$ { /name: kube-prometheus-stack/,/repository:/s/^ *version: //p }' $chart)
helm upgrade --install monitoring kube-prometheus-stack --repo https://prometheus-community.github.io/helm-charts \
  --version "$version" --namespace monitoring --create-namespace --wait --set grafana.enabled=false \
  --set prometheus.prometheusSpec.podMonitorSelectorNilUsesHelmValues=false \
  --set prometheus.prometheusSpec.ruleSelectorNilUsesHelmValues=false
helm upgrade --install keda keda --repo https://kedacore.github.io/charts --version 2.17.3 \
  --namespace keda --create-namespace --wait
