#!/usr/bin/env bash
# Usage: install_torch.sh PYTHON
# The CPU build of PyTorch, for the tests of training, unless some build of it is there already.
# From PyTorch's own index where that can be reached: PyPI's build brings gigabytes of CUDA.
set -euo pipefail
python=$1
version=2.13.0
index=https://download.pytorch.org/whl/cpu

"$python" -c 'import torch' 2>/dev/null && exit
options=()
if "$python" -c "import urllib.request as u; u.urlopen('$index/', timeout=10)" 2>/dev/null; then
  options=(--extra-index-url "$index")
fi
"$(dirname "$0")"/quietly.sh "Installing PyTorch" \
  "$python" -m pip install "${options[@]}" "torch==$version"
