"""What a network costs: parameters and multiply-accumulates, counted layer by layer."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import prod

from .engine import keras

_GRAPH_BYTES = 20_000


@dataclass(frozen=True)
class ModelStatistics:
    """Costs of one forward pass on one image.

    Attributes:
        parameters: all weights, the four of each batch-norm channel included.
        macs: multiply-accumulates of convolutions, dense layers and products of tensors (as in
            attention). Batch norm (folded at
            inference), activations, pooling and resizes are not counted, as in the paper.
        deployed_parameters: weights left once batch norm is folded into its convolution.
    """

    parameters: int
    macs: int
    deployed_parameters: int

    @property
    def tflite_mb(self) -> float:
        """Estimate of the float32 .tflite in MB (10⁶ bytes), good to 1 %.

        Four bytes a deployed weight, and what operators, tensor names and the description
        take in the networks here.
        """
        return (4 * self.deployed_parameters + _GRAPH_BYTES) / 1e6

    @property
    def gmac(self) -> float:
        return self.macs / 1e9

    @property
    def gflops(self) -> float:
        """2 × MAC, the paper's count."""
        return 2 * self.gmac

    def to_dict(self) -> dict:
        return {
            **asdict(self),
            "gmac": self.gmac,
            "gflops": self.gflops,
            "tflite_mb": self.tflite_mb,
        }


def model_statistics(model: keras.Model) -> ModelStatistics:
    """Count a functional model that was built for a fixed input size.

    Raises:
        ValueError: the model takes any input size, so that MACs have no number.
    """
    if None in model.inputs[0].shape[1:]:
        raise ValueError("build the model with an input_size to count its MACs")
    macs = 0
    deployed = 0
    for layer in model.layers:
        # First: `shape_only` has it as a kind of Conv2D.
        if isinstance(layer, keras.layers.Conv2DTranspose):
            _, rows, columns, _ = layer.input.shape
            macs += rows * columns * prod(layer.kernel.shape)
            deployed += layer.count_params()
        elif isinstance(layer, (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)):
            _, rows, columns, _ = layer.output.shape
            macs += rows * columns * prod(layer.kernel.shape)
            deployed += layer.count_params()
        elif isinstance(layer, keras.layers.Dense):
            macs += prod(layer.output.shape[1:-1]) * prod(layer.kernel.shape)
            deployed += layer.count_params()
        elif hasattr(layer, "macs"):  # layers of ours that multiply tensors
            macs += layer.macs()
            deployed += layer.count_params()
        elif isinstance(layer, keras.layers.BatchNormalization):
            deployed += layer.output.shape[-1]  # scale joins the kernel, shift becomes a bias
        else:
            deployed += layer.count_params()
    return ModelStatistics(model.count_params(), macs, deployed)
