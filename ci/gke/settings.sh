#!/bin/bash
# Checks the settings of a cluster on GKE, which come from the environment, and prints them with all that follows from
# them, as shell commands:  eval "$(ci/gke/settings.sh)"
set -euo pipefail

fail() {
  echo "settings.sh: $1: ${!1:-not given}; allowed: $2" >&2
  exit 2
}
matches() { [[ ${!1} =~ ^($2)$ ]] || fail "$1" "$3"; }
number() { # NAME LEAST MOST
  if ! [[ ${!1} =~ ^[0-9]{1,4}$ ]] || ((10#${!1} < $2 || 10#${!1} > $3)); then fail "$1" "a number from $2 to $3"; fi
}

PROJECT=${PROJECT:-}
REGION=${REGION:-us-central1}
ZONES=${ZONES:-$REGION-a,$REGION-b}
CLUSTER=${CLUSTER:-inference}
NAMESPACE=${NAMESPACE:-inference}
GPUS_PER_NODE=${GPUS_PER_NODE:-1}
NODES_MIN=${NODES_MIN:-2}
NODES_MAX=${NODES_MAX:-4}
BUCKET=${BUCKET:-$PROJECT-models}
MODEL=${MODEL:-original}
ALIAS=${ALIAS:-}
CLIENT_RANGES=${CLIENT_RANGES:-}
HOST=${HOST:-}
CERTIFICATE=${CERTIFICATE:-}

# 23 characters, so that the service account CLUSTER-triton has no more than its 30
word='[a-z]([-a-z0-9]{0,21}[a-z0-9])?'
matches PROJECT '[a-z][-a-z0-9]{4,28}[a-z0-9]' "the id of a project, 6 to 30 lower-case letters, digits and dashes"
matches REGION '[a-z]+-[a-z]+[0-9]+' "a region, as us-central1"
for name in CLUSTER NAMESPACE; do
  matches $name "$word" "lower-case letters, digits and dashes, 23 at most, a letter first"
done
matches BUCKET '[a-z0-9][-a-z0-9_.]{1,61}[a-z0-9]' "the name of a bucket, 3 to 63 characters"
matches MODEL '[A-Za-z0-9][A-Za-z0-9_.-]*' "a variant, as the files of values/ name them"
[ -z "$ALIAS" ] || matches ALIAS '[A-Za-z0-9][A-Za-z0-9_.-]*' "the model.name of a plan"
matches GPUS_PER_NODE '1|2|4' "1, 2 or 4, which a machine with T4s can have"
IFS=, read -ra zones <<<"$ZONES"
for zone in "${zones[@]}"; do
  [[ $zone =~ ^$REGION-[a-z]$ ]] || fail ZONES "zones of $REGION, as $REGION-a,$REGION-b"
done
distinct=$(printf '%s\n' "${zones[@]}" | sort -u | wc -l)
if ((distinct < 2 || distinct != ${#zones[@]})); then fail ZONES "two zones or more, each once"; fi
number NODES_MIN 1 1000
number NODES_MAX "$NODES_MIN" 1000
if [ -n "$CLIENT_RANGES" ]; then
  octet='(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])'
  range="$octet(\.$octet){3}/([0-9]|[12][0-9]|3[0-2])"
  # ten is what one rule of Cloud Armor takes
  matches CLIENT_RANGES "$range(,$range){0,9}" "up to ten address ranges, as 203.0.113.0/24,198.51.100.7/32"
fi
if [ -n "$HOST$CERTIFICATE" ]; then
  matches HOST '[a-z0-9]([-a-z0-9.]*[a-z0-9])?' "a host name, as CERTIFICATE is given"
  matches CERTIFICATE '[a-z]([-a-z0-9]{0,61}[a-z0-9])?' "the name of a certificate in the project, as HOST is given"
  [ -n "$CLIENT_RANGES" ] || fail CLIENT_RANGES "address ranges, as HOST is given: 0.0.0.0/0 is everybody"
fi

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cat <<END
export PROJECT=$PROJECT REGION=$REGION ZONES=$ZONES CLUSTER=$CLUSTER NAMESPACE=$NAMESPACE
export GPUS_PER_NODE=$GPUS_PER_NODE NODES_MIN=$NODES_MIN NODES_MAX=$NODES_MAX BUCKET=$BUCKET MODEL=$MODEL ALIAS=$ALIAS
export CLIENT_RANGES=$CLIENT_RANGES HOST=$HOST CERTIFICATE=$CERTIFICATE
export ACCOUNT=$CLUSTER-triton@$PROJECT.iam.gserviceaccount.com
export REGISTRY=$REGION-docker.pkg.dev/$PROJECT/$CLUSTER
export PODS_MIN=$((NODES_MIN * GPUS_PER_NODE)) PODS_MAX=$((NODES_MAX * GPUS_PER_NODE))
export CLOUDSDK_CORE_PROJECT=$PROJECT
export KUBECONFIG=$(printf %q "$root/build/gke/$CLUSTER/kubeconfig")
END
