#!/bin/bash
# Creates all that the charts need on GKE: a regional cluster over several zones with an autoscaled pool of T4s, the
# model bucket, who may read it, a registry and, with CLIENT_RANGES, an address that only those clients reach.
#   PROJECT=... [SETTING=...] ci/gke/create.sh [--dry-run]
# What is there already is left as it is, so a run that was interrupted can be repeated.
set -euo pipefail
# shellcheck source=ci/gke/steps.sh
source "$(dirname "$0")/steps.sh"
[ ${#arguments[@]} -eq 0 ] || fail "unknown argument ${arguments[0]}; allowed: --dry-run"

run gcloud services enable compute.googleapis.com container.googleapis.com artifactregistry.googleapis.com \
  storage.googleapis.com iam.googleapis.com

# The system pool: monitoring, autoscaling, and the load generator, which must not disturb the servers.
create "container clusters" "$CLUSTER" --region "$REGION" -- \
  --node-locations "$ZONES" --release-channel regular --machine-type e2-standard-8 --num-nodes 1 \
  --enable-autoscaling --total-min-nodes 2 --total-max-nodes 6 --location-policy BALANCED \
  --workload-pool "$PROJECT.svc.id.goog" --gateway-api standard --enable-dataplane-v2

# GKE installs the driver, and taints the nodes so that nothing else comes there. Four CPUs for each GPU.
create "container node-pools" t4 --cluster "$CLUSTER" --region "$REGION" -- \
  --node-locations "$ZONES" --machine-type "n1-standard-$((4 * GPUS_PER_NODE))" \
  --accelerator "type=nvidia-tesla-t4,count=$GPUS_PER_NODE,gpu-driver-version=latest" --num-nodes 1 \
  --enable-autoscaling --total-min-nodes "$NODES_MIN" --total-max-nodes "$NODES_MAX" --location-policy BALANCED

run gcloud container clusters get-credentials "$CLUSTER" --region "$REGION"
is_there no kubectl get namespace "$NAMESPACE" || run kubectl create namespace "$NAMESPACE"
run kubectl label namespace "$NAMESPACE" --overwrite pod-security.kubernetes.io/enforce=restricted

# Triton reads the bucket as a service account, without any key. It asks for the bucket itself as well as for its
# objects, which objectViewer alone does not allow.
create "storage buckets" "gs://$BUCKET" -- --location "$REGION" --uniform-bucket-level-access
is_there no gcloud iam service-accounts describe "$ACCOUNT" ||
  run gcloud iam service-accounts create "${ACCOUNT%%@*}" --display-name "Triton of the cluster $CLUSTER"
for role in roles/storage.objectViewer roles/storage.legacyBucketReader; do
  run gcloud storage buckets add-iam-policy-binding "gs://$BUCKET" --member "serviceAccount:$ACCOUNT" --role "$role"
done
run gcloud iam service-accounts add-iam-policy-binding "$ACCOUNT" --role roles/iam.workloadIdentityUser \
  --member "serviceAccount:$PROJECT.svc.id.goog[$NAMESPACE/system-triton]"

create "artifacts repositories" "$CLUSTER" --location "$REGION" -- --repository-format docker

if [ -n "$CLIENT_RANGES" ]; then
  create "compute addresses" "$CLUSTER" --global --
  create "compute security-policies" "$CLUSTER" -- --description "Clients of the inference system"
  create "compute security-policies rules" 1000 --security-policy "$CLUSTER" -- \
    --src-ip-ranges "$CLIENT_RANGES" --action allow
  # the default rule, which would let everybody in
  run gcloud compute security-policies rules update 2147483647 --security-policy "$CLUSTER" --action deny-403
fi
