#!/bin/bash
# Brings a cluster up, builds the images, runs tests/integration on it, and takes it down whatever happens.
#   ci/integration.sh CLUSTER_TOOL [PYTEST_ARGUMENT...]
# CLUSTER_TOOL is a program with the commands up, base-images, load, addons and down, as tests/integration/README.md
# describes. PYTHON runs the tests, BUILDER_PYTHON is the model builder's: nox sets both.
set -euo pipefail
cluster=$(realpath "${1:?usage: ci/integration.sh CLUSTER_TOOL [PYTEST_ARGUMENT...]}")
shift
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}

say() { echo "integration: $* ($SECONDS s, $(df -h --output=avail . | tail -n 1 | tr -d ' ') of disk free)"; }
down() {
  local status=$?
  "$cluster" down
  docker image prune --all --force --filter label=inference-system-test >/dev/null || true
  # A build leaves the images that it replaces, up to 2 GB each: some runs of that fill a disk, and a kubelet whose disk
  # is full removes images that tests are about to use.
  for name in $("$python" ci/build_images.py --list); do
    docker image prune --force --filter label=org.opencontainers.image.title="${name%:*}" >/dev/null || true
  done
  say "the cluster is down"
  exit "$status"
}
trap down EXIT
trap 'exit 130' INT TERM

"$cluster" up --gpus 1
export KUBECONFIG=/run/cluster/admin.conf PATH=/opt/cluster/bin:$PATH
"$cluster" base-images
"$cluster" addons prometheus-operator keda
say "the cluster is up"

# A build shares the host's network, as it does where the engine has no network of its own.
export IMAGE_BUILD_ARGS=${IMAGE_BUILD_ARGS:---network host} IMAGE_LOAD="$cluster load"
"$python" ci/build_images.py
say "the images are built"

policies=tests/integration/test_network_policy.py
"$python" -m pytest tests/integration --ignore=$policies "$@"
say "the tests have passed"

# Enforced last: a firewall lets a new Pod through only after a moment, which no other test is about.
"$cluster" addons network-policy
"$python" -m pytest $policies
say "the network policies hold"
