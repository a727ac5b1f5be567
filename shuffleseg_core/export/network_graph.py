"""A trained Keras network as a few kinds of nodes, with the way of every channel known.

Batch norms are folded into the convolutions before them, and what only moves channels about
(concatenation, channel shuffle, split) is gone: each node names the channels that it reads.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import UserError
from ..models.blocks import ResizeLike
from ..models.engine import keras, layers


class NoDeployGraph(UserError):
    """The network has a part that has no place in a deploy graph."""

    def __init__(self, reason: str):
        super().__init__(f"{reason}; export it with --graph plain")


@dataclass(eq=False)
class Node:
    """One computation.

    Attributes:
        kind: `image`, `shift` (plus `offset`), `convolution`, `depthwise`, `max_pool`, `mean` (over
            all positions) or `resize` (bilinear, to the size of `reference`).
        inputs: the channels that it reads, numbered through the whole network.
        outputs: the channels that it makes.
        kernel: float64 [rows, columns, in, out] of a convolution, [rows, columns, channels] of a
            depthwise one, in the order of `inputs` and `outputs`.
        bias: float64 [out].
        relu: whether negative values become 0.
        stride, rate: (rows, columns).
        window: (rows, columns) of a max pool.
        offset: what a shift adds.
        reference: a channel of the size to resize to.
        align_corners: see `ResizeLike`.
    """

    kind: str
    inputs: np.ndarray
    outputs: np.ndarray
    kernel: np.ndarray | None = None
    bias: np.ndarray | None = None
    relu: bool = False
    stride: tuple[int, int] = (1, 1)
    rate: tuple[int, int] = (1, 1)
    window: tuple[int, int] = (1, 1)
    offset: float = 0.0
    reference: int = -1
    align_corners: bool = False

    @property
    def is_pointwise(self) -> bool:
        return (
            self.kind == "convolution" and self.kernel.shape[:2] == (1, 1) and self.stride == (1, 1)
        )


def network_graph(model) -> list[Node]:
    """The nodes of a network in the order in which they can be computed.

    Args:
        model: a functional Keras model of one image input and one output, of the layers that the
            networks here are made of.

    Returns:
        `image` first; the last one makes the model's output, in its order.

    Raises:
        NoDeployGraph: a layer of another kind, or one used in a way that is not known.
    """
    return _Tracer(model).nodes


class _Tracer:
    def __init__(self, model):
        self.nodes: list[Node] = []
        self._maker: list[Node] = []  # of each channel
        self._scale: dict[int, float] = {}  # of channels that the next convolution multiplies
        self._channels: dict[str, np.ndarray] = {}  # by name of the Keras tensor
        self._uses: dict[str, int] = {}
        for operation in model.operations:
            if len(operation._inbound_nodes) != 1:
                raise NoDeployGraph(f"layer {operation.name}: used more than once")
            for tensor in operation._inbound_nodes[0].input_tensors:
                self._uses[tensor.name] = self._uses.get(tensor.name, 0) + 1
        for operation in model.operations:
            self._operation(operation)
        output = self._channels[model.output.name]
        if not np.array_equal(output, self.nodes[-1].outputs):
            raise NoDeployGraph(f"model {model.name}: its last layer only moves channels about")

    def _operation(self, operation) -> None:
        tensors = operation._inbound_nodes[0].input_tensors
        inputs = [self._channels[t.name] for t in tensors]
        kinds = {
            layers.InputLayer: self._image,
            layers.Rescaling: self._rescaling,
            layers.Conv2D: self._convolution,
            layers.DepthwiseConv2D: self._depthwise,
            layers.BatchNormalization: self._batch_norm,
            layers.Activation: self._activation,
            layers.MaxPooling2D: self._max_pool,
            layers.GlobalAveragePooling2D: self._mean,
            layers.Dropout: lambda _, x: x,
            layers.Concatenate: lambda _, *parts: np.concatenate(parts),
            ResizeLike: self._resize,
        }
        name = type(operation).__name__
        window = getattr(operation, "kernel_size", getattr(operation, "pool_size", (1, 1)))
        if window != (1, 1) and operation.padding != "same":
            raise NoDeployGraph(f"layer {operation.name}: only 'same' padding has a place here")
        if type(operation) in kinds:
            outputs = kinds[type(operation)](operation, *inputs)
        elif name == "ChannelShuffle":
            outputs = inputs[0].reshape(operation.groups, -1).T.reshape(-1)
        elif name == "Split" and operation.axis in (-1, 3):
            outputs = np.split(inputs[0], operation.indices_or_sections)
        else:
            raise NoDeployGraph(f"layer {operation.name}: a {name} has no place in a deploy graph")
        made = operation._inbound_nodes[0].output_tensors
        for tensor, channels in zip(made, outputs if isinstance(outputs, list) else [outputs]):
            self._channels[tensor.name] = channels

    def _add(self, kind: str, inputs, count: int, **attributes) -> np.ndarray:
        if kind != "convolution" and any(int(c) in self._scale for c in inputs):
            raise NoDeployGraph(f"a {kind} of the rescaled image")
        outputs = np.arange(len(self._maker), len(self._maker) + count)
        node = Node(kind, inputs, outputs, **attributes)
        self.nodes.append(node)
        self._maker.extend([node] * count)
        return outputs

    def _image(self, layer):
        return self._add("image", np.arange(0), layer.output.shape[-1])

    def _rescaling(self, layer, x):
        if set(self._maker[c].kind for c in x) != {"image"}:
            raise NoDeployGraph(f"layer {layer.name}: only the image can be rescaled")
        # The factor moves into the convolution. The offset stays, so that the zeros that pad the
        # border of the convolution's input mean the same as before.
        scale, offset = float(layer.scale), float(layer.offset)
        outputs = self._add("shift", x, len(x), offset=offset / scale)
        self._scale.update(dict.fromkeys(outputs.tolist(), scale))
        return outputs

    def _convolution(self, layer, x):
        kernel = np.asarray(layer.kernel.numpy(), np.float64)
        if layer.groups != 1:
            raise NoDeployGraph(f"layer {layer.name}: grouped convolutions have no place here")
        bias = np.zeros(kernel.shape[-1])
        if layer.use_bias:
            bias = bias + layer.bias.numpy()
        scale = np.array([self._scale.get(int(c), 1.0) for c in x])
        return self._add(
            "convolution",
            x,
            kernel.shape[-1],
            kernel=kernel * scale[:, None],
            bias=bias,
            relu=self._relu(layer.activation, layer),
            stride=layer.strides,
            rate=layer.dilation_rate,
        )

    def _depthwise(self, layer, x):
        kernel = np.asarray(layer.kernel.numpy(), np.float64)
        if kernel.shape[-1] != 1:
            raise NoDeployGraph(
                f"layer {layer.name}: such depthwise convolutions have no place here"
            )
        bias = np.zeros(len(x))
        if layer.use_bias:
            bias = bias + layer.bias.numpy()
        return self._add(
            "depthwise",
            x,
            len(x),
            kernel=kernel[..., 0],
            bias=bias,
            relu=self._relu(layer.activation, layer),
            stride=layer.strides,
            rate=layer.dilation_rate,
        )

    def _sole_maker(self, layer, x) -> Node:
        """The convolution that made x for this layer alone."""
        node = self._maker[x[0]]
        sole = self._uses[layer.input.name] == 1 and np.array_equal(node.outputs, x)
        if node.kernel is None or node.relu or not sole:
            raise NoDeployGraph(f"layer {layer.name}: does not follow a convolution of its own")
        return node

    def _batch_norm(self, layer, x):
        node = self._sole_maker(layer, x)
        mean, variance = (
            np.asarray(v.numpy(), np.float64) for v in (layer.moving_mean, layer.moving_variance)
        )
        scale = 1.0 / np.sqrt(variance + layer.epsilon)
        if layer.scale:
            scale = scale * layer.gamma.numpy()
        node.kernel = node.kernel * scale
        node.bias = (node.bias - mean) * scale
        if layer.center:
            node.bias = node.bias + layer.beta.numpy()
        return x

    def _activation(self, layer, x):
        if self._relu(layer.activation, layer):
            self._sole_maker(layer, x).relu = True
        return x

    def _relu(self, activation, layer) -> bool:
        if activation not in (keras.activations.relu, keras.activations.linear):
            raise NoDeployGraph(f"layer {layer.name}: only ReLU has a place in a deploy graph")
        return activation is keras.activations.relu

    def _max_pool(self, layer, x):
        return self._add("max_pool", x, len(x), window=layer.pool_size, stride=layer.strides)

    def _mean(self, layer, x):
        return self._add("mean", x, len(x))

    def _resize(self, layer, x, reference):
        return self._add(
            "resize", x, len(x), reference=int(reference[0]), align_corners=layer.align_corners
        )
