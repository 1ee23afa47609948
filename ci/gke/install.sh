#!/bin/bash
# Installs or upgrades the whole system, charts/inference-system, as the release `system`, serving the variant $MODEL.
#   PROJECT=... [SETTING=...] ci/gke/install.sh [--dry-run] [--triton NAME] [--locust NAME] [HELM_ARGUMENT...]
# --triton and --locust add values/NAME.yaml, which are values of that part. Each run states the whole wish.
set -euo pipefail
# shellcheck source=ci/gke/steps.sh
source "$(dirname "$0")/steps.sh"

values=()
# Adds values/NAME.yaml of a part. The umbrella's values have them below the part's name.
part() { # PART NAME
  local file="build/gke/$CLUSTER/$1-$2.yaml"
  [ -f "values/$2.yaml" ] || fail "values/$2.yaml does not exist; allowed: $(cd values && echo *)"
  { printf '%s:\n' "$1" && sed 's/^/  /' "values/$2.yaml"; } >"$file"
  values+=(--values "$file")
}

triton() { values+=(--set "triton.$1"); }

part triton gke-t4
part triton "$MODEL"
triton "modelRepository.url=gs://$BUCKET/models"
triton "modelRepository.alias=$ALIAS"
triton "serviceAccount.annotations.iam\.gke\.io/gcp-service-account=$ACCOUNT"
triton "scaling.replicas=$PODS_MIN"
triton "scaling.minReplicas=$PODS_MIN"
triton "scaling.maxReplicas=$PODS_MAX"
triton "scaling.keda.prometheusAddress=http://prometheus-operated.$NAMESPACE.svc:9090"
triton "test.image.registry=$REGISTRY"
values+=(--set "locust.image.registry=$REGISTRY" --set "locust.target.model=$MODEL")
[ "$GPUS_PER_NODE" = 1 ] || triton placement.onePodPerNode=false

if [ -n "$CLIENT_RANGES" ]; then
  part triton gateway-gke
  triton "gateway.create.addressName=$CLUSTER"
  triton "gateway.gke.securityPolicy=$CLUSTER"
  if [ -n "$HOST" ]; then
    triton "gateway.http.hostnames={$HOST}"
    triton "gateway.grpc.hostnames={$HOST}"
    triton "gateway.create.tlsOptions.networking\.gke\.io/pre-shared-certs=$CERTIFICATE"
  else
    triton gateway.grpc.enabled=false # Google's load balancer takes gRPC over TLS alone
  fi
fi

further=()
while [ ${#arguments[@]} -gt 0 ]; do
  case ${arguments[0]} in
    --triton | --locust)
      [ ${#arguments[@]} -gt 1 ] || fail "${arguments[0]} lacks the name of a file of values/"
      part "${arguments[0]#--}" "${arguments[1]}"
      arguments=("${arguments[@]:2}")
      ;;
    *)
      further+=("${arguments[0]}")
      arguments=("${arguments[@]:1}")
      ;;
  esac
done

run helm upgrade --install system charts/inference-system --namespace "$NAMESPACE" --wait --timeout 30m \
  "${values[@]}" "${further[@]}"
