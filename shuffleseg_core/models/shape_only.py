"""As much of Keras's functional API as it takes to count a network where Keras is not installed.

Keras 3 imports TensorFlow, JAX or PyTorch, none of which belongs on a robot, yet asking what an
architecture costs should work there. Tensors are shapes here and nothing can be run; the tests
hold every count equal to Keras's own.
"""

from __future__ import annotations

from math import prod
from types import SimpleNamespace


class Tensor:
    """A shape, with None for the batch, and where it came from."""

    def __init__(self, shape, layer=None, parents=()):
        self.shape = tuple(shape)
        self.layer = layer
        self.parents = parents


class Layer:
    """Base of all layers; `weights` lists the shapes of its weights."""

    def __init__(self, name=None, dtype=None, **kwargs):
        self.name = name
        self.weights = []

    def build(self, shape):
        """Fill `weights` for an input of this shape."""

    def add_weight(self, shape=None, initializer=None, dtype=None, trainable=True, name=None):
        """List a weight of a layer that is not Keras's, from its `build`."""
        self.weights.append(tuple(shape))
        return SimpleNamespace(shape=tuple(shape))

    def compute_output_shape(self, shape):
        return shape

    def count_params(self) -> int:
        return sum(prod(shape) for shape in self.weights)

    def __call__(self, inputs):
        many = isinstance(inputs, (list, tuple))
        shape = [tensor.shape for tensor in inputs] if many else inputs.shape
        self.build(shape)
        self.input = inputs
        parents = tuple(inputs) if many else (inputs,)
        self.output = Tensor(self.compute_output_shape(shape), self, parents)
        return self.output

    def get_config(self):
        return {"name": self.name}


class _Window(Layer):
    """What slides over the image: 'same' padding, so that sizes depend on the stride alone."""

    def __init__(self, size, strides=1, padding="same", name=None, **kwargs):
        super().__init__(name)
        if padding != "same":
            raise NotImplementedError(f"padding {padding!r}")
        self.size = (size, size) if isinstance(size, int) else tuple(size)
        self.strides = (strides, strides) if isinstance(strides, int) else tuple(strides)

    def compute_output_shape(self, shape):
        rows, columns = (
            None if n is None else -(-n // stride) for n, stride in zip(shape[1:3], self.strides)
        )
        return (shape[0], rows, columns, self.depth(shape[3]))

    def depth(self, input_depth):
        return input_depth


class Conv2D(_Window):
    def __init__(self, filters, kernel_size, use_bias=True, **kwargs):
        super().__init__(kernel_size, **kwargs)
        self.filters = filters
        self.use_bias = use_bias

    def build(self, shape):
        self.kernel = SimpleNamespace(shape=(*self.size, shape[3], self.filters))
        self.weights = [self.kernel.shape, *([(self.filters,)] if self.use_bias else [])]

    def depth(self, input_depth):
        return self.filters


class DepthwiseConv2D(_Window):
    def __init__(self, kernel_size, use_bias=True, depth_multiplier=1, **kwargs):
        super().__init__(kernel_size, **kwargs)
        self.use_bias = use_bias
        self.depth_multiplier = depth_multiplier

    def build(self, shape):
        self.kernel = SimpleNamespace(shape=(*self.size, shape[3], self.depth_multiplier))
        self.weights = [
            self.kernel.shape,
            *([(self.depth(shape[3]),)] if self.use_bias else []),
        ]

    def depth(self, input_depth):
        return input_depth * self.depth_multiplier


class Conv2DTranspose(Conv2D):
    def build(self, shape):
        super().build(shape)
        rows, columns, inputs, outputs = self.kernel.shape
        self.kernel = SimpleNamespace(shape=(rows, columns, outputs, inputs))

    def compute_output_shape(self, shape):
        rows, columns = (
            None if n is None else n * stride for n, stride in zip(shape[1:3], self.strides)
        )
        return (shape[0], rows, columns, self.filters)


class MaxPooling2D(_Window):
    def __init__(self, pool_size=2, strides=None, **kwargs):
        super().__init__(pool_size, pool_size if strides is None else strides, **kwargs)


class AveragePooling2D(MaxPooling2D):
    pass


class PReLU(Layer):
    def __init__(self, shared_axes=None, **kwargs):
        super().__init__(**kwargs)
        if shared_axes is None or tuple(shared_axes) != (1, 2):
            raise NotImplementedError(f"shared_axes {shared_axes}")

    def build(self, shape):
        self.weights = [(1, 1, shape[-1])]


class Dense(Layer):
    def __init__(self, units, use_bias=True, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.use_bias = use_bias

    def build(self, shape):
        self.kernel = SimpleNamespace(shape=(shape[-1], self.units))
        self.weights = [self.kernel.shape, *([(self.units,)] if self.use_bias else [])]

    def compute_output_shape(self, shape):
        return (*shape[:-1], self.units)


class BatchNormalization(Layer):
    def __init__(self, momentum=0.99, epsilon=1e-3, name=None, **kwargs):
        super().__init__(name)

    def build(self, shape):
        self.weights = [(shape[-1],)] * 4


class GlobalAveragePooling2D(Layer):
    def __init__(self, keepdims=False, name=None, **kwargs):
        super().__init__(name)
        self.keepdims = keepdims

    def compute_output_shape(self, shape):
        return (shape[0], 1, 1, shape[3]) if self.keepdims else (shape[0], shape[3])


class Concatenate(Layer):
    def compute_output_shape(self, shape):
        return (*shape[0][:-1], sum(one[-1] for one in shape))


class Add(Layer):
    """Element by element; one of a size of 1 goes with all."""

    def compute_output_shape(self, shape):
        return tuple(
            None if None in sizes else max(sizes) for sizes in zip(*(tuple(one) for one in shape))
        )


class Multiply(Add):
    pass


class Subtract(Add):
    pass


class Activation(Layer):
    def __init__(self, activation, name=None, **kwargs):
        super().__init__(name)


class Rescaling(Layer):
    def __init__(self, scale, offset=0.0, name=None, **kwargs):
        super().__init__(name)


class Dropout(Layer):
    def __init__(self, rate, name=None, **kwargs):
        super().__init__(name)


class SpatialDropout2D(Dropout):
    pass


class _Split(Layer):
    def __init__(self, parts):
        super().__init__()
        self.parts = parts

    def compute_output_shape(self, shape):
        return (*shape[:-1], shape[-1] // self.parts)


def _split(tensor, parts, axis=-1):
    if axis != -1:
        raise NotImplementedError(f"split along axis {axis}")
    return [_Split(parts)(tensor) for _ in range(parts)]


class Model:
    """From input to output; `layers` in the order in which they were first reached."""

    def __init__(self, inputs, outputs, name=None):
        self.name = name
        self.inputs = [inputs]
        self.outputs = [outputs]
        self.layers = []
        self._collect(outputs, set())

    def _collect(self, tensor, seen):
        if tensor.layer is None or id(tensor.layer) in seen:
            return
        seen.add(id(tensor.layer))
        for parent in tensor.parents:
            self._collect(parent, seen)
        self.layers.append(tensor.layer)

    def count_params(self) -> int:
        return sum(layer.count_params() for layer in self.layers)


def Input(shape, name=None):  # noqa: N802 (Keras's name)
    return Tensor((None, *shape))


layers = SimpleNamespace(
    Activation=Activation,
    Add=Add,
    AveragePooling2D=AveragePooling2D,
    BatchNormalization=BatchNormalization,
    Concatenate=Concatenate,
    Conv2D=Conv2D,
    Conv2DTranspose=Conv2DTranspose,
    Dense=Dense,
    DepthwiseConv2D=DepthwiseConv2D,
    Dropout=Dropout,
    GlobalAveragePooling2D=GlobalAveragePooling2D,
    Layer=Layer,
    MaxPooling2D=MaxPooling2D,
    Multiply=Multiply,
    PReLU=PReLU,
    Rescaling=Rescaling,
    SpatialDropout2D=SpatialDropout2D,
    Subtract=Subtract,
)
ops = SimpleNamespace(split=_split)
saving = SimpleNamespace(register_keras_serializable=lambda package: lambda cls: cls)
