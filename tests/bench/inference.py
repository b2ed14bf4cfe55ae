"""Inference alone in Python: images per second of one single-threaded session. Usage: inference.py MODEL.onnx BATCH SECONDS"""
import sys
import time

import numpy as np
import onnxruntime as ort

model, batch, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
options = ort.SessionOptions()
options.intra_op_num_threads = 1
session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
x = np.full((batch, 3, 128, 128), 0.1, np.float32)
session.run(["logits"], {"input": x})
n, begin = 0, time.process_time()
while time.process_time() - begin < seconds:
    session.run(["logits"], {"input": x})
    n += batch
print(f"{n / (time.process_time() - begin):.1f}")
