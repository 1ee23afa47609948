#!/bin/bash
# Builds the load generator's image and pushes it to the project's registry. NVIDIA's server image is public.
#   PROJECT=... [SETTING=...] ci/gke/images.sh [--dry-run]
set -euo pipefail
# shellcheck source=ci/gke/steps.sh
source "$(dirname "$0")/steps.sh"
[ ${#arguments[@]} -eq 0 ] || fail "unknown argument ${arguments[0]}; allowed: --dry-run"

version=$(sed -n 's/^appVersion: "\(.*\)"$/\1/p' charts/locust/Chart.yaml)
run gcloud auth configure-docker "$REGION-docker.pkg.dev" --quiet
run docker build --tag "$REGISTRY/locust:$version" --file images/locust/Dockerfile .
run docker push "$REGISTRY/locust:$version"
