#!/usr/bin/env bash
# Training of all layers, one thread, ours beside PyTorch's: both measured in turn, medians, and their ratio.
#
# usage: tests/bench/training.sh [ROUNDS]      PYTHON=python3 needs torch, onnx and numpy
set -euo pipefail
cd "$(dirname "$0")/../.."
rounds=${1:-3}
python=${PYTHON:-python3}
model=models/$(ls models | grep '\.onnx$' | head -1)
cargo bench --quiet --no-default-features --bench training --no-run
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for ((i = 0; i < rounds; i++)); do
    cargo bench --quiet --no-default-features --bench training | tee -a "$log"
    OMP_NUM_THREADS=1 "$python" tests/bench/training.py "$model" | tee -a "$log"
done
"$python" - "$log" <<'PY'
import re, statistics, sys
rates = {}
for line in open(sys.argv[1]):
    m = re.match(r"(ours|PyTorch \S+) (\d+) px.*?(channels \w+)?: ([\d.]+) images/s", line)
    if m:
        rates.setdefault((m[2], "ours" if m[1] == "ours" else m[3]), []).append(float(m[4]))
for side in ("128", "224"):
    ours = statistics.median(rates[side, "ours"])
    for layout in ("channels first", "channels last"):
        theirs = statistics.median(rates[side, layout])
        print(f"{side} px: ours {ours:.1f} images/s, PyTorch {layout} {theirs:.1f}: {ours / theirs:.2f} times")
PY
