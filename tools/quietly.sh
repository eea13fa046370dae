#!/usr/bin/env bash
# Usage: quietly.sh LABEL COMMAND...
# Runs a long command with its output in build/log/, and shows the end of it only on failure.
set -euo pipefail
label=$1
shift
mkdir -p build/log
log="build/log/$(tr -c 'a-zA-Z0-9\n' '-' <<<"$label").txt"
printf '%s ... ' "$label"
started=$SECONDS
if "$@" >"$log" 2>&1; then
  echo "$((SECONDS - started)) s"
else
  status=$?
  echo "failed (exit $status)"
  grep -v 'is ignored: it is neither' "$log" | tail -n 40 >&2 || true
  echo "$label failed; the full output is in $log" >&2
  exit "$status"
fi
