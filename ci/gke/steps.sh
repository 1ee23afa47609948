# shellcheck shell=bash
# What the GKE scripts share: the option --dry-run, the settings, and steps that can be printed, repeated and undone.
# Sourced; the script's other arguments are left in $arguments.
here=$(dirname "${BASH_SOURCE[0]}")
dry_run='' arguments=()
for argument; do
  if [ "$argument" = --dry-run ]; then dry_run=yes; else arguments+=("$argument"); fi
done
settings=$("$here/settings.sh")
eval "$settings"
cd "$here/../.." || exit
here=ci/gke
mkdir -p "$(dirname "$KUBECONFIG")"

fail() {
  echo "${0##*/}: $1" >&2
  exit 2
}

# Prints a command, and runs it unless this is a dry run.
run() {
  local word line=''
  for word; do
    [[ $word =~ ^[A-Za-z0-9_./:=,@%+~-]+$ ]] || word=${word@Q}
    line+=" $word"
  done
  echo "${line# }"
  [ -n "$dry_run" ] || "$@"
}

# Whether a query succeeds. A dry run asks nobody and takes the first argument, yes or no, for the answer.
is_there() { # YES_OR_NO COMMAND...
  if [ -n "$dry_run" ]; then [ "$1" = yes ]; else "${@:2}" >/dev/null 2>&1; fi
}

# Creates a resource unless it is there: "GROUP" NAME SCOPE... -- ARGUMENT...
create() {
  local group scope=()
  read -ra group <<<"$1"
  shift
  while [ "$1" != -- ]; do
    scope+=("$1")
    shift
  done
  is_there no gcloud "${group[@]}" describe "${scope[@]}" || run gcloud "${group[@]}" create "${scope[@]}" "${@:2}"
}

# Deletes a resource if it is there: "GROUP" NAME SCOPE...
delete() {
  local group
  read -ra group <<<"$1"
  ! is_there yes gcloud "${group[@]}" describe "${@:2}" || run gcloud "${group[@]}" delete "${@:2}" --quiet
}
