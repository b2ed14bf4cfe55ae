#!/usr/bin/env bash
# `leukoscope classify` against a Python peer, in turn on the same folder: images per CPU-second, peak memory, and the time
# from start to the first label. Needs python3 with onnxruntime and opencv-python-headless (PYTHON), GNU time, and the
# reference finder (FINDER). Usage: tests/bench/peer.sh FOLDER [ROUNDS]
set -euo pipefail
folder=$1 rounds=${2:-3}
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
python=${PYTHON:-python3}
finder=${FINDER:-$root/../shared/reference/cell_finding.py}
model=$root/models/leukoscope-wbc5-128.onnx
ours=${LEUKOSCOPE:-$root/target/release/leukoscope}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
n=$("$ours" classify "$folder" 2>/dev/null | tail -n +2 | wc -l)
for round in $(seq "$rounds"); do
  for who in ours peer; do
    if [ $who = ours ]; then
      command=("$ours" classify "$folder" --provider cpu --out "$out/ours.csv")
    else
      command=("$python" "$here/peer.py" "$model" "$finder" "$folder" "$out/peer.csv")
    fi
    /usr/bin/time -f '%U %S %e %M' -o "$out/time" "${command[@]}" >/dev/null 2>&1
    read -r user system wall peak < "$out/time"
    echo "$who $round $(echo "$n $user $system" | awk '{printf "%.1f", $1 / ($2 + $3)}') images per CPU-second, wall $wall s, largest process $((peak / 1024)) MB"
  done
done | tee "$out/rounds"
awk '{v[$1] = v[$1] " " $3} END {n = split(v["ours"], a, " "); split(v["peer"], b, " "); for (i = 1; i <= n; i++) s += a[i] / b[i]; printf "whole job: ours/peer %.2f (mean of %d paired ratios)\n", s / n, n}' "$out/rounds"
begin=$(date +%s.%N)
"$ours" classify "$folder" --provider cpu 2>/dev/null | head -n 2 | tail -n 1 > /dev/null
end=$(date +%s.%N)
echo "start to the first label: $(echo "$end $begin" | awk '{printf "%.2f", $1 - $2}') s"
theirs=$("$python" "$here/inference.py" "$model" 1 4)
own=$("$ours" bench --json | "$python" -c 'import json,sys; print([f["value"] for f in json.load(sys.stdin)["figures"] if "batch 1" in f["name"] and "16" not in f["name"]][0])')
echo "inference alone, one thread, batch 1: ours $own, Python $theirs images/s, ratio $(echo "$own $theirs" | awk '{printf "%.2f", $1 / $2}')"
