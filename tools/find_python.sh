#!/usr/bin/env bash
# Prints the Python to make .venv with: the default one if it is 3.10 to 3.13, else one by version.
# ROS 2 Jazzy's wheels exist for these versions.
set -euo pipefail
for name in python3 python3.12 python3.11 python3.13 python3.10; do
  if "$name" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' \
    >/dev/null 2>&1; then
    command -v "$name"
    exit
  fi
done
echo "No Python from 3.10 to 3.13 found (python3 is $(python3 --version 2>&1 || echo missing))." >&2
exit 1
