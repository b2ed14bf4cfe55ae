"""The peer of `leukoscope classify`: what a good Python script does with the same model and the same finder.

onnxruntime + OpenCV, one process per core, one single-threaded session each, streaming, rows in input order.
Usage: peer.py MODEL.onnx CELL_FINDING.py FOLDER OUT.csv
"""
import csv
import hashlib
import importlib.util
import json
import multiprocessing as mp
import os
import sys
from pathlib import Path

import cv2
import numpy as np


def load(path):
    spec = importlib.util.spec_from_file_location("cell_finding", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["cell_finding"] = module
    spec.loader.exec_module(module)
    return module


def begin(model, finder):
    global session, labels, size, cf
    import onnxruntime as ort
    cv2.setNumThreads(1)
    cf = load(finder)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    manifest = json.loads(session.get_modelmeta().custom_metadata_map["leukoscope.manifest"])
    labels, size = manifest["labels"], manifest["input"]["size"][0]


def one(path):
    data = Path(path).read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if bgr is None:
        return [path, 0, "failed", "", "", digest]
    rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
    cells = cf.find_cells(rgb)
    if not cells:
        return [path, 0, "no-cell", "", "", digest]
    logits = session.run(["logits"], {"input": cf.tensor(cf.cut(rgb, cells[0], size))[None]})[0][0]
    p = np.exp(logits - logits.max())
    p /= p.sum()
    return [path, 1, "ok", labels[int(p.argmax())], f"{p.max():.6f}", digest]


if __name__ == "__main__":
    model, finder, folder, out = sys.argv[1:]
    files = sorted(str(p) for p in Path(folder).rglob("*") if p.suffix.lower() in {".jpg", ".jpeg", ".png", ".bmp", ".tif"})
    with mp.Pool(os.cpu_count(), begin, (model, finder)) as pool, open(out, "w", newline="") as f:
        writer = csv.writer(f)
        writer.writerow(["path", "cell", "status", "label", "confidence", "sha256"])
        for row in pool.imap(one, files, chunksize=8):
            writer.writerow(row)
