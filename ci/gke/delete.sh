#!/bin/bash
# Deletes what create.sh and the charts made, in an order in which nothing billed is left behind, and looks for the rest.
#   PROJECT=... [SETTING=...] ci/gke/delete.sh [--dry-run] [--keep-bucket]
# Exit status 1: something of it still exists, and is listed. A run that was interrupted can be repeated.
set -euo pipefail
# shellcheck source=ci/gke/steps.sh
source "$(dirname "$0")/steps.sh"
keep_bucket=''
for argument in "${arguments[@]}"; do
  [ "$argument" = --keep-bucket ] || fail "unknown argument $argument; allowed: --dry-run, --keep-bucket"
  keep_bucket=yes
done

# Without access every resource would look as if it had gone.
run gcloud projects describe "$PROJECT" --format "value(projectId)"

# First the objects of Kubernetes: only their controllers delete load balancers and the disks of volumes.
if is_there yes gcloud container clusters describe "$CLUSTER" --region "$REGION"; then
  run gcloud container clusters get-credentials "$CLUSTER" --region "$REGION"
  run kubectl delete gateways.gateway.networking.k8s.io --all --namespace "$NAMESPACE" --timeout 15m
  run kubectl delete namespace "$NAMESPACE" --ignore-not-found --timeout 15m
  # A volume that is to be retained does not go; the list at the end has its disk.
  run kubectl wait persistentvolumes --all --for delete --timeout 10m || true
fi
delete "container clusters" "$CLUSTER" --region "$REGION"

delete "compute addresses" "$CLUSTER" --global
delete "compute security-policies" "$CLUSTER"
delete "artifacts repositories" "$CLUSTER" --location "$REGION"
delete "iam service-accounts" "$ACCOUNT"
if [ -z "$keep_bucket" ] && is_there yes gcloud storage buckets describe "gs://$BUCKET"; then
  run gcloud storage rm --recursive "gs://$BUCKET"
fi

# GKE labels machines and disks with their cluster; the parts of a load balancer are called after namespace and Gateway.
left=''
remains() { # GROUP FILTER
  local group found name
  read -ra group <<<"$1"
  found=$(run gcloud "${group[@]}" list --filter "$2" --format "value(name)")
  echo "$found"
  # the first line is the command itself
  while read -r name; do left+="$1: $name"$'\n'; done < <(sed 1d <<<"$found")
}
remains "container clusters" "name=$CLUSTER AND location=$REGION"
for part in instances disks; do
  remains "compute $part" "labels.goog-k8s-cluster-name=$CLUSTER"
done
for part in addresses forwarding-rules backend-services target-http-proxies target-https-proxies; do
  remains "compute $part" "name=$CLUSTER OR name~^gke(gw|mcg)1-.*-$NAMESPACE-system-triton"
done
if [ -n "$left" ]; then
  printf 'still there, and perhaps billed:\n%s' "$left" >&2
  exit 1
fi
