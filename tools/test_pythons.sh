#!/usr/bin/env bash
# Usage: test_pythons.sh [VERSION...]      (default: 3.10 3.11 3.12 3.13)
# Installs the package with pip the way a stranger would, build isolation and all, into an empty
# environment for each Python that is here, and uses it from another folder. In build/pythons/.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
versions=("$@")
((${#versions[@]})) || versions=(3.10 3.11 3.12 3.13)

find_version() {  # name or path of a Python of this version, if any
  local candidate
  for candidate in "python$1" "$HOME"/.pyenv/versions/"$1".*/bin/python; do
    if "$candidate" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$1')" \
      >/dev/null 2>&1; then
      echo "$candidate"
      return
    fi
  done
}

proven=()
for version in "${versions[@]}"; do
  python=$(find_version "$version")
  if [[ -z $python ]]; then
    echo "Python $version: not here, skipped"
    continue
  fi
  environment=$root/build/pythons/$version
  rm -rf "$environment"
  "$python" -m venv "$environment"
  # The pip that comes with old Pythons tries versions for hours where a new one finds them at once.
  tools/quietly.sh "Python $version: pip" "$environment/bin/python" -m pip install --upgrade pip
  tools/quietly.sh "Python $version: pip install" \
    "$environment/bin/pip" install --no-compile "$root[test]"
  (
    cd "$environment"
    bin/python "$root/tools/check_installed.py" --prefix "$environment"
    bin/wm-planner --help >/dev/null
    # From another folder: the installed package is tested, not the checkout.
    bin/python -m pytest -q -p no:cacheprovider --rootdir "$root" -c "$root/pyproject.toml" \
      "$root"/test/test_{actions,types,settings}.py
  )
  rm -rf "$environment"
  proven+=("$version")
done
((${#proven[@]})) || { echo "None of the Pythons ${versions[*]} is here." >&2; exit 1; }
echo "pip: installed, imported, used on Python ${proven[*]}"
