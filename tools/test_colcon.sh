#!/usr/bin/env bash
# Builds the package with colcon and uses the result, in build/colcon/. Stands in for a normal
# ROS 2 Jazzy: colcon comes from PyPI, the ROS packages below it are the wheels in .venv.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
work=$root/build/colcon
python=$root/.venv/bin/python

# colcon needs an older setuptools than others: an environment of its own.
if [[ ! -x $work/venv/bin/colcon ]]; then
  "$python" -m venv "$work/venv"
  tools/quietly.sh "Installing colcon" \
    "$work/venv/bin/pip" install colcon-common-extensions
fi

export AMENT_PREFIX_PATH=$root/.venv CMAKE_PREFIX_PATH=$root/.venv
export PATH=$root/.venv/bin:$PATH
tools/quietly.sh "Building with colcon" "$work/venv/bin/colcon" --log-base "$work/log" build \
  --base-paths "$root" --packages-select wm_planner \
  --build-base "$work/build" --install-base "$work/install" \
  --cmake-args -DPython3_EXECUTABLE="$python" -DBUILD_TESTING=OFF

# From here on as a user of the workspace would: source it, run from somewhere else.
set +u
source "$work/install/setup.bash"
set -u
cd "$work"
"$python" "$root/tools/check_installed.py" --prefix "$work/install/wm_planner"
for executable in install/wm_planner/lib/wm_planner/*; do
  test -x "$executable"
done
install/wm_planner/bin/wm-planner --help >/dev/null
echo "colcon: built, sourced, imported, used"
