#!/bin/sh
# Makes the bundled model, from the ImageNet backbone and images of three laboratories. Hours on two cores; the same command goes on where it
# was stopped.
#
#     models/train.sh DATA OUT [LEUKOSCOPE]
#
# DATA has train/, more/ and backbone/ (models/squares.py says which files). OUT gets the squares and the models; OUT/bundled.onnx is the
# model. Needs python3 with numpy and opencv-python-headless.
set -eu
data=$1 out=$2 program=${3:-leukoscope}
here=$(dirname "$0")
backbone=$data/backbone/mobilenet_v2_1.0_224_backbone_fp32.onnx
mkdir -p "$out"
# A step that is done is not done again.
made() { [ -e "$out/$1" ]; }
common="--recipe full --group-by column --keep last"

# 1. Squares: cells, and what the finder proposes beside them.
made boxes.csv || python3 "$here/squares.py" list "$data" "$out"
made places.csv || "$program" bench --finder "$data" "$out/boxes.csv" --places "$out/places.csv"
made squares.csv || python3 "$here/squares.py" make "$data" "$out"

# 2. Each laboratory left out in turn, on a share of the squares: how the recipe does in one that it never saw, and the temperature of the
#    model's confidence.
made few.csv || python3 "$here/squares.py" few "$data" "$out"
made left-out.onnx || "$program" train "$out/few.csv" $common --init "$backbone" --size 128 --epochs 3 --lr 4e-4 --leave-one-source-out \
    --out "$out/left-out.onnx"

# 3. The model.
made base.onnx || "$program" train "$out/squares.csv" $common --init "$backbone" --size 128 --epochs 4 --seed 41 --out "$out/base.onnx"

# 4. What it took wrongly for cells is given again; the mean of two runs.
made mined-places.csv ||
    "$program" bench --model "$out/base.onnx" --finder "$data" "$out/boxes.csv" --places "$out/mined-places.csv"
made mined.csv || python3 "$here/squares.py" mine "$data" "$out"
made bundled.onnx || "$program" train "$out/mined.csv" $common --init "$out/base.onnx" --epochs 1 --lr 1e-4 --runs 2 --seed 51 \
    --calibration-of "$out/left-out.onnx" --name leukoscope-wbc5-128 --out "$out/bundled.onnx"
