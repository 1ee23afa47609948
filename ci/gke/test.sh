#!/bin/bash
# Installs the system and proves on the cluster that it answers, spreads over zones, and scales out and in again.
#   PROJECT=... [SETTING=...] ci/gke/test.sh [--dry-run]
# It needs the models in the bucket and the image of ci/gke/images.sh. Under load for about half an hour.
set -euo pipefail
# shellcheck source=ci/gke/steps.sh
source "$(dirname "$0")/steps.sh"
[ ${#arguments[@]} -eq 0 ] || fail "unknown argument ${arguments[0]}; allowed: --dry-run"

install() { "$here/install.sh" ${dry_run:+--dry-run} --triton autoscale-gpu "$@"; }
system() { run kubectl --namespace "$NAMESPACE" "$@"; }

run gcloud storage ls "gs://$BUCKET/models/$MODEL/config.pbtxt"
run gcloud container clusters get-credentials "$CLUSTER" --region "$REGION"
run helm upgrade --install keda keda --repo https://kedacore.github.io/charts --version 2.17.3 \
  --namespace keda --create-namespace --wait
run helm repo add prometheus-community https://prometheus-community.github.io/helm-charts --force-update
run helm dependency build charts/inference-system

install --set components.locust=false
run helm test system --namespace "$NAMESPACE" --logs

# The published load: more than the smallest number of Pods can serve, so GPU utilisation passes its limit.
install --set locust.load.autostart=true
system wait deployment/system-triton --for "jsonpath={.status.readyReplicas}=$PODS_MAX" --timeout 30m
system get pods --selector app.kubernetes.io/component=server --output wide
run kubectl get nodes --label-columns topology.kubernetes.io/zone,cloud.google.com/gke-accelerator

# Without load one Pod goes each minute, once the cool-down has passed.
install --set components.locust=false
system wait deployment/system-triton --for "jsonpath={.spec.replicas}=$PODS_MIN" --timeout 45m
