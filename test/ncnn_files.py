"""NanoDet-m's files for ncnn, written from a state dict of torchvision's ShuffleNet V2."""

from __future__ import annotations

import numpy as np


def nanodet_layers(variables):
    """(name, weights, biases, stride, groups) in the file's order, with one convolution of a neck.

    Batch norms are folded, and the stem takes BGR.
    """
    units = sorted({tuple(name.split(".")[:2]) for name in variables if name.startswith("stage")})
    names = ["conv1.0"]
    for stage, unit in sorted(units, key=lambda unit: (unit[0], int(unit[1]))):
        parts = ("branch1.0", "branch1.2", "branch2.0", "branch2.3", "branch2.5")
        names += [f"{stage}.{unit}.{part}" for part in parts[2 * (unit != "0") :]]
    for name in names:
        scope, index = name.rsplit(".", 1)
        gamma, beta, mean, variance = (
            variables[f"{scope}.{int(index) + 1}.{part}"].astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        scale = gamma / np.sqrt(variance + 1e-5)
        weights = variables[f"{name}.weight"] * scale[:, None, None, None]
        if name == "conv1.0":
            weights = weights[:, ::-1]
        depthwise = name.endswith(("branch1.0", "branch2.3"))
        strided = name == "conv1.0" or depthwise and ".0.branch" in name
        groups = len(weights) if depthwise else 1
        yield name, weights, beta - scale * mean, 2 if strided else 1, groups
    width = len(weights)
    yield "neck", np.ones((8, 2 * width, 1, 1)), np.zeros(8), 1, 1


def save_nanodet(folder, layers, dtype="<f2"):
    """Write FOLDER/nanodet_m.param and .bin of `nanodet_layers`. Returns the .bin's path."""
    lines, data = ["Input input 0 1 in"], b""
    for name, weights, biases, stride, groups in layers:
        kind = "Convolution" if groups == 1 else "ConvolutionDepthWise"
        lines.append(
            f"{kind} {name} 1 1 in out 0={len(weights)} 1={weights.shape[2]} 3={stride} 5=1 "
            f"6={weights.size} 7={groups} 9=2 -23310=1,1.0e-01"
        )
        raw = weights.astype(dtype).tobytes()
        tag = b"\x47\x6b\x30\x01" if dtype == "<f2" else bytes(4)
        data += tag + raw + bytes(-len(raw) % 4) + biases.astype("<f4").tobytes()
    lines[:0] = ["7767517", f"{len(lines)} {len(lines)}"]
    (folder / "nanodet_m.param").write_text("\n".join(lines) + "\n")
    (folder / "nanodet_m.bin").write_bytes(data)
    return folder / "nanodet_m.bin"
