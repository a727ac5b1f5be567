"""The same function as a trained network, with less work.

- Batch norms and the factor of equation 1 are in the convolutions.
- Nothing is shuffled, split or transposed: the order of channels in a 1×1 convolution's input and
  output is free. A unit's last convolution becomes several, one for each later unit that reads a
  part of its channels; then the input of every unit is one concatenation of whole tensors.
- What is the same at all positions (the basic head's image pooling) is multiplied by its
  part of the next 1×1 convolution once, not at every position.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..models.blocks import ResizeLike
from ..models.engine import keras
from .network_graph import Node, NoDeployGraph

#: Tensors that one concatenation joins: XNNPACK leaves those of more than 5 to a slow kernel, older
#: versions of it those of more than 4.
MOST_JOINED = 4


@dataclass(frozen=True, eq=False)
class _Piece:
    """Some channels in one tensor [1, h, w, len(channels)]; h and w are 1 for those that are the
    same at all positions."""

    tensor: object
    channels: tuple[int, ...]
    everywhere: bool = False


def deploy_graph(nodes: list[Node], image):
    """Compute a network's output by the cheaper graph, with whatever backend Keras has.

    Args:
        nodes: of `network_graph`.
        image: float [1, H, W, 3], the network's input.

    Returns:
        float [1, h, w, C], equal to the network's output but for float rounding.

    Raises:
        NoDeployGraph: a part of a pooled or depthwise layer's channels is read without the rest,
            or what is the same at all positions is read by something else than a 1×1 convolution
            that also reads other things.
    """
    return _Emitter(nodes).run(image)


class _Emitter:
    def __init__(self, nodes: list[Node]):
        self._nodes = nodes
        self._readers: dict[int, list[int]] = {}  # channel → the nodes that read it
        for index, node in enumerate(nodes):
            for channel in node.inputs:
                self._readers.setdefault(int(channel), []).append(index)
        self._piece_of: dict[int, _Piece] = {}
        self._joined: dict[tuple, _Piece] = {}
        self._enlarged: set[int] = set()  # channels whose resize is left to those that read them

    def run(self, image):
        for node in self._nodes:
            if node.kind == "image":
                made = [_Piece(image, tuple(node.outputs))]
            elif node.kind == "convolution":
                made = self._convolution(node)
            else:
                made = [self._each_channel(node)]
            for piece in made:
                self._piece_of.update(dict.fromkeys(piece.channels, piece))
        last = self._piece_of[int(self._nodes[-1].outputs[0])]
        if last.channels != tuple(self._nodes[-1].outputs):
            raise NoDeployGraph("the network's last layer only moves channels about")
        return last.tensor

    def _pieces(self, channels) -> list[_Piece]:
        """The tensors that hold these channels and (they were made `_by_reader`) no others."""
        pieces = list(dict.fromkeys(self._piece_of[int(c)] for c in channels))
        if sum(len(piece.channels) for piece in pieces) != len(channels):
            raise NoDeployGraph("the network reads a part of a layer's channels")
        return pieces

    def _join(self, pieces: list[_Piece]) -> _Piece:
        if len(pieces) == 1:
            return pieces[0]
        if len(pieces) > MOST_JOINED:
            # The smallest ones first, since they are copied twice.
            pieces = sorted(pieces, key=lambda piece: len(piece.channels))
            return self._join([self._join(pieces[:MOST_JOINED]), *pieces[MOST_JOINED:]])
        key = tuple(p.channels for p in pieces)
        if key not in self._joined:
            tensor = keras.ops.concatenate([p.tensor for p in pieces], axis=-1)
            self._joined[key] = _Piece(tensor, sum(key, ()), pieces[0].everywhere)
        return self._joined[key]

    def _convolution(self, node: Node) -> list[_Piece]:
        pieces = self._pieces(node.inputs)
        everywhere = [p for p in pieces if p.everywhere]
        elsewhere = [p for p in pieces if not p.everywhere]
        if not elsewhere and node.inputs.size and any(c in self._enlarged for c in node.inputs):
            raise NoDeployGraph("only what was pooled is read behind its resize")
        constant = self._join(everywhere) if everywhere else None
        varying = self._join(elsewhere) if elsewhere else None
        made = []
        for outputs in self._by_reader(node.outputs):
            rows = np.searchsorted(node.outputs, outputs)
            parts = []
            for piece in (varying, constant):
                if piece is not None:
                    # One bias is enough, and cheapest on the part that is computed once.
                    bias = node.bias[rows] if piece is (constant or varying) else None
                    parts.append(self._convolve(node, piece, rows, bias))
            x = parts[0] if len(parts) == 1 else keras.ops.add(*parts)
            x = keras.ops.relu(x) if node.relu else x
            made.append(_Piece(x, tuple(outputs), everywhere=varying is None))
        return made

    def _by_reader(self, outputs) -> list[np.ndarray]:
        """The channels in groups that the same nodes read, first readers first."""
        groups: dict[tuple, list[int]] = {}
        for channel in outputs:
            groups.setdefault(tuple(self._readers.get(int(channel), ())), []).append(int(channel))
        return [np.array(groups[readers]) for readers in sorted(groups)]

    def _convolve(self, node: Node, piece: _Piece, rows, bias):
        columns = _places(node.inputs, piece.channels)
        kernel = node.kernel[:, :, columns][..., rows]
        x = keras.ops.conv(
            piece.tensor,
            _constant(kernel),
            strides=node.stride,
            padding="same",
            dilation_rate=node.rate,
        )
        return x if bias is None else keras.ops.add(x, _constant(bias))

    def _each_channel(self, node: Node) -> _Piece:
        """A node whose every channel is made of one: in whatever order they come."""
        if node.kind == "resize":
            return self._resize(node)
        piece = self._join(self._pieces(node.inputs))
        places = _places(node.inputs, piece.channels)
        everywhere = False
        if node.kind == "depthwise":
            x = keras.ops.depthwise_conv(
                piece.tensor,
                _constant(node.kernel[:, :, places, None]),
                strides=node.stride,
                padding="same",
                dilation_rate=node.rate,
            )
            x = keras.ops.add(x, _constant(node.bias[places]))
            x = keras.ops.relu(x) if node.relu else x
        elif node.kind == "shift":
            x = keras.ops.add(piece.tensor, node.offset)
        elif node.kind == "max_pool":
            x = keras.ops.max_pool(piece.tensor, node.window, strides=node.stride, padding="same")
        else:
            x = keras.ops.mean(piece.tensor, axis=(1, 2), keepdims=True)
            everywhere = True
        return _Piece(x, tuple(node.outputs[places]), everywhere)

    def _resize(self, node: Node) -> _Piece:
        pieces = self._pieces(node.inputs)
        piece = self._join(pieces)
        channels = tuple(node.outputs[_places(node.inputs, piece.channels)])
        readers = {r for c in node.outputs for r in self._readers.get(int(c), ())}
        if piece.everywhere and all(self._nodes[r].is_pointwise for r in readers):
            self._enlarged.update(channels)
            return _Piece(piece.tensor, channels, everywhere=True)
        reference = self._piece_of[node.reference].tensor
        return _Piece(ResizeLike(node.align_corners)([piece.tensor, reference]), channels)


def _places(channels: np.ndarray, wanted) -> np.ndarray:
    """Where each wanted channel stands among `channels`."""
    place = {int(c): i for i, c in enumerate(channels)}
    return np.array([place[int(c)] for c in wanted])


def _constant(values: np.ndarray):
    return keras.ops.convert_to_tensor(values.astype(np.float32))
