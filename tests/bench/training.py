"""PyTorch's side of the training bench: the same network, all layers, one thread, forward and backward.

usage: training.py MODEL.onnx   (needs torch, onnx, numpy)
"""
import statistics
import sys
import time

import onnx
import onnx.numpy_helper
import torch
from torch import nn

torch.set_num_threads(1)


class Step(nn.Module):
    """The graph of a MobileNetV2 with folded batch norm, node by node."""

    def __init__(self, path):
        super().__init__()
        graph = onnx.load(path).graph
        weights = {t.name: torch.tensor(onnx.numpy_helper.to_array(t).copy()) for t in graph.initializer}
        self.steps, self.layers = [], nn.ModuleList()
        for node in graph.node:
            a = {x.name: (list(x.ints) or x.i) for x in node.attribute}
            if node.op_type == "Conv":
                w = weights[node.input[1]]
                conv = nn.Conv2d(w.shape[1] * a["group"], w.shape[0], w.shape[2], a["strides"][0], 0, groups=a["group"])
                conv.weight.data, conv.bias.data = w, weights[node.input[2]]
                t, l, b, r = a["pads"]
                pad = nn.ZeroPad2d((l, r, t, b)) if t != b else None
                if pad is None and t:
                    conv.padding = (t, t)
                layer = conv if pad is None else nn.Sequential(pad, conv)
            elif node.op_type == "Gemm":
                w = weights[node.input[1]]
                layer = nn.Linear(w.shape[1], w.shape[0])
                layer.weight.data, layer.bias.data = w, weights[node.input[2]]
            else:
                layer = {"Clip": nn.ReLU6(), "Relu": nn.ReLU(), "GlobalAveragePool": nn.AdaptiveAvgPool2d(1), "Flatten": nn.Flatten()}.get(node.op_type)
            self.layers.append(layer if layer is not None else nn.Identity())
            self.steps.append((node.op_type, [i for i in node.input if i not in weights], node.output[0]))

    def forward(self, x):
        values = {"input": x}
        for (op, ins, out), layer in zip(self.steps, self.layers):
            values[out] = values[ins[0]] + values[ins[1]] if op == "Add" else layer(values[ins[0]])
        return values["logits"]


for side in (128, 224):
    for last in (False, True):
        net = Step(sys.argv[1])
        x, y = torch.rand(32, 3, side, side) * 2 - 1, torch.ones(32, dtype=torch.long)
        if last:
            net, x = net.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
        times = []
        for _ in range(8 if side == 128 else 4):
            begun = time.perf_counter()
            net.zero_grad()
            nn.functional.cross_entropy(net(x), y).backward()
            times.append(time.perf_counter() - begun)
        layout = "channels last" if last else "channels first"
        print(f"PyTorch {torch.__version__} {side} px, batch 32, one thread, {layout}: {32 / statistics.median(times):.1f} images/s", flush=True)
