#!/bin/bash
# Keeps a stopping Pod serving until its clients have left: Triton 25.02 closes gRPC at once on SIGTERM.
# Only bash is used, because that is in every Triton image; curl and python are not.
# Usage: drain.sh METRICS_PORT MINIMUM_S QUIET_S DEADLINE_S
set -u
port=$1 minimum=$2 quiet=$3 deadline=$4

# A hook's output is lost, so it goes to the server's log.
log() { echo "drain: $*" >>"${DRAIN_LOG:-/proc/1/fd/1}" || true; }

# Sets $finished to Triton's request counters as text, and $waiting to 1 when a request waits in a queue.
# Fails when the server does not answer.
read_counters() {
  local line
  finished='' waiting=0
  {
    printf 'GET /metrics HTTP/1.0\r\nConnection: close\r\n\r\n' >&3
    while IFS= read -r -t 2 line <&3; do
      line=${line%$'\r'}
      case $line in
        nv_inference_request_success\{* | nv_inference_request_failure\{*) finished+="$line;" ;;
        nv_inference_pending_request_count\{*' 0') finished+=';' ;;
        nv_inference_pending_request_count\{*) waiting=1 ;;
      esac
    done
  } 2>/dev/null 3<>"/dev/tcp/127.0.0.1/$port"
  [ -n "$finished" ] || [ "$waiting" = 1 ]
}

silent=0 last='' quiet_since=0
while [ "$SECONDS" -lt "$deadline" ]; do
  if read_counters; then
    silent=0
    if [ "$waiting" = 1 ] || [ "$finished" != "$last" ]; then
      quiet_since=$SECONDS
    fi
    last=$finished
    if [ "$SECONDS" -ge "$minimum" ] && [ $((SECONDS - quiet_since)) -ge "$quiet" ]; then
      log "no request for $quiet s, ended after $SECONDS s"
      exit 0
    fi
  else
    # A server that hangs or has gone can't finish anything: the Pod need not wait for it.
    silent=$((silent + 1))
    if [ "$silent" -ge 3 ]; then
      log "the server does not answer, ended after $SECONDS s"
      exit 0
    fi
  fi
  sleep 1
done
log "requests still arrive or run at the deadline of $deadline s"
