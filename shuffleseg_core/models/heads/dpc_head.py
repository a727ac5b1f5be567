"""The dense prediction cell (DPC): five atrous separable convolutions, some in a row.

Chen et al., "Searching for Efficient Multi-Scale Architectures for Dense Image Prediction"
(arXiv:1809.04184), as used by Türkmen & Heikkilä, figure 4.
"""

from __future__ import annotations

import json
from importlib import resources

from ..blocks import ConvNormAct
from ..engine import layers


def load_dpc_cell() -> list[dict]:
    """The cell's branches: `rate` (rows, columns) at output stride 16, and `input`.

    `input` is "features" or the index of an earlier branch.
    """
    text = resources.files(__package__).joinpath("dpc_cell.json").read_text(encoding="utf-8")
    return json.loads(text)["branches"]


def dpc_head(features, conv: ConvNormAct, output_stride: int = 16, width: int = 256):
    """Each branch: depthwise 3×3 at its rate → 1×1.

    Args:
        features: [B, h, w, C] backbone features.
        conv: the head's batch-norm settings.
        output_stride: of the features; rates grow as it shrinks below 16, so that
            the cell covers the same part of the image.
        width: channels of each branch (the paper's 256).

    Returns:
        [B, h, w, 5 · width], the concatenated branches.
    """
    scale = max(16 // output_stride, 1)
    branches = []
    for index, branch in enumerate(load_dpc_cell()):
        x = features if branch["input"] == "features" else branches[branch["input"]]
        rate = tuple(scale * r for r in branch["rate"])
        x = conv.depthwise(x, rate=rate, name=f"dpc{index}_depthwise")
        branches.append(conv.pointwise(x, width, name=f"dpc{index}_conv1x1"))
    return layers.Concatenate(name="head_concat")(branches)
