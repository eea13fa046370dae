#!/usr/bin/env bash
# Makes sure that the few system packages which pip cannot bring are there: as root installs them,
# otherwise prints the one command that does. Knows Debian 12 and Ubuntu 24.04 and later.
set -euo pipefail
cd "$(dirname "$0")/.."

if [[ "$(uname -sm)" != "Linux x86_64" ]]; then
  echo "The ROS 2 wheels on PyPI exist for Linux x86_64 only, this is $(uname -sm)." >&2
  exit 1
fi

missing=()
command -v g++ >/dev/null || missing+=(g++)
if python=$(tools/find_python.sh 2>/dev/null); then
  has() { "$python" -c "$1" 2>/dev/null; }
  name="python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
  [[ "$python" == /usr/bin/python3 ]] && name=python3
  has 'import ensurepip, venv' || missing+=("$name-venv")
  has 'import os, sysconfig as s; os.stat(s.get_path("include") + "/Python.h")' ||
    missing+=("$name-dev")
else
  missing+=(python3 python3-venv python3-dev)
fi
# Software rendering without a screen. dpkg knows more than the linker's cache does.
for package in libegl1 libegl-mesa0 libgl1-mesa-dri; do
  if command -v dpkg-query >/dev/null; then
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
      missing+=("$package")
  fi
done

((${#missing[@]})) || exit 0
if ! command -v apt-get >/dev/null; then
  echo "Missing: ${missing[*]} (names as on Debian). Install them, then run make again." >&2
  exit 1
elif ((EUID == 0)); then
  echo "Missing system packages: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  tools/quietly.sh "Updating package lists" apt-get update
  tools/quietly.sh "Installing system packages" \
    apt-get install -y --no-install-recommends "${missing[@]}"
else
  echo "Some system packages are missing. Run this, then make again:" >&2
  echo "  sudo apt-get install -y ${missing[*]}" >&2
  exit 1
fi
