"""Published ShuffleNet V2 networks in plain numpy, variables under their repositories' names.

Written from the repositories' descriptions and without this package's models, so that tests can
hold imported weights to the function that they were trained for. Images and features are
[rows, columns, channels].
"""

from __future__ import annotations

import numpy as np

STAGE_WIDTHS = {0.5: (48, 96, 192), 1.0: (116, 232, 464)}
STAGE_UNITS = (4, 8, 4)
DPC_CELL = (((1, 6), -1), ((18, 15), 0), ((6, 3), 1), ((1, 1), 0), ((6, 21), 0))


# --- operators


def same_padding(size, kernel, stride, rate):
    """TensorFlow's: what is missing, the larger half behind."""
    reach = (kernel - 1) * rate + 1
    missing = max((-(-size // stride) - 1) * stride + reach - size, 0)
    return missing // 2, missing - missing // 2


def windows(x, kernel, stride, rate, padding, fill=0.0):
    """Yield (row, column, [h, w, C]): what each tap of the kernel sees."""
    rates = (rate, rate) if isinstance(rate, int) else rate
    pads = [
        same_padding(size, kernel, stride, r) if padding == "same" else (padding, padding)
        for size, r in zip(x.shape[:2], rates)
    ]
    x = np.pad(x, (*pads, (0, 0)), constant_values=fill)
    rows, columns = (
        (size - (kernel - 1) * r - 1) // stride + 1 for size, r in zip(x.shape[:2], rates)
    )
    for row in range(kernel):
        for column in range(kernel):
            top, left = row * rates[0], column * rates[1]
            yield (
                row,
                column,
                x[top : top + stride * rows : stride, left : left + stride * columns : stride],
            )


def convolve(x, kernel, stride=1, padding="same"):
    """kernel [rows, columns, in, out]."""
    return sum(
        seen @ kernel[row, column]
        for row, column, seen in windows(x, kernel.shape[0], stride, 1, padding)
    )


def convolve_depthwise(x, kernel, stride=1, rate=1, padding="same"):
    """kernel [3, 3, channels]."""
    return sum(
        seen * kernel[row, column] for row, column, seen in windows(x, 3, stride, rate, padding)
    )


def max_pool(x, padding):
    return np.max([seen for *_, seen in windows(x, 3, 2, 1, padding, -np.inf)], axis=0)


def relu(x):
    return np.maximum(x, 0)


# --- random variables


class Draw:
    """Random variables of a size that keeps activations in range."""

    def __init__(self, seed=0):
        self.rng = np.random.default_rng(seed)
        self.variables = {}

    def kernel(self, name, shape, fan_in):
        values = self.rng.normal(0, np.sqrt(2 / fan_in), shape)
        self.variables[name] = values.astype(np.float32)

    def vector(self, name, size, low, high):
        self.variables[name] = self.rng.uniform(low, high, size).astype(np.float32)

    def norm(self, names, size):
        """(scale, shift, mean, variance)."""
        for name, (low, high) in zip(names, ((0.6, 1.4), (-0.3, 0.3), (-0.3, 0.3), (0.5, 1.5))):
            self.vector(name, size, low, high)


# --- sercant/mobile-segmentation (TensorFlow 1)


def official_variables(head, depth_multiplier=1.0, classes=19, optimizer=True):
    """Names and shapes of a checkpoint of its training; `head` None gives the backbone alone."""
    draw = Draw(1)

    def norm(scope, size, name):
        parts = ("gamma", "beta", "moving_mean", "moving_variance")
        draw.norm([f"{scope}/{name}/{part}" for part in parts], size)

    def conv(scope, kernel, inputs, outputs, name):
        fan_in = kernel * kernel * inputs
        draw.kernel(f"{scope}/weights", (kernel, kernel, inputs, outputs), fan_in)
        norm(scope, outputs, name)

    def depthwise(scope, channels, name):
        draw.kernel(f"{scope}/depthwise_weights", (3, 3, channels, 1), 9)
        norm(scope, channels, name)

    inner, outer = "batch_norm", "BatchNorm"
    conv("ShuffleNetV2/Conv1", 3, 3, 24, inner)
    inputs = 24
    for stage, width, units in zip((2, 3, 4), STAGE_WIDTHS[depth_multiplier], STAGE_UNITS):
        half = width // 2
        unit = f"ShuffleNetV2/Stage{stage}/unit_1"
        conv(f"{unit}/conv1x1_before", 1, inputs, inputs, inner)
        depthwise(f"{unit}/depthwise", inputs, inner)
        conv(f"{unit}/conv1x1_after", 1, inputs, half, inner)
        depthwise(f"{unit}/second_branch/depthwise", inputs, inner)
        conv(f"{unit}/second_branch/conv1x1_after", 1, inputs, half, inner)
        for index in range(2, units + 1):
            unit = f"ShuffleNetV2/Stage{stage}/unit_{index}"
            conv(f"{unit}/conv1x1_before", 1, half, half, inner)
            depthwise(f"{unit}/depthwise", half, inner)
            conv(f"{unit}/conv1x1_after", 1, half, half, inner)
        inputs = width
    if head == "basic":
        conv("image_pooling", 1, inputs, 256, outer)
        conv("aspp0", 1, inputs, 256, outer)
        conv("concat_projection", 1, 512, 256, outer)
    elif head == "dpc":
        for index, (_, source) in enumerate(DPC_CELL):
            channels = inputs if source < 0 else 256
            depthwise(f"meta_architecture/branch{index}_depthwise", channels, outer)
            conv(f"meta_architecture/branch{index}_pointwise", 1, channels, 256, outer)
        conv("meta_architecture/concat_projection", 1, 1280, 256, outer)
    if head:
        draw.kernel("logits/semantic/weights", (1, 1, 256, classes), 256)
        draw.vector("logits/semantic/biases", classes, -1, 1)
    variables = draw.variables
    if optimizer:
        trained = [name for name in variables if "moving" not in name]
        slots = {f"{name}/Adam{part}": variables[name] for name in trained for part in ("", "_1")}
        counters = {"beta1_power": np.float32(0.9), "beta2_power": np.float32(0.999)}
        variables = {**variables, **slots, **counters, "global_step": np.int64(120000)}
    return variables


def official_forward(variables, image, head):
    """Logits at output stride 16 of an image with values 0 to 255."""

    def norm(x, scope, name, epsilon):
        gamma, beta, mean, variance = (
            variables[f"{scope}/{name}/{part}"]
            for part in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        return (x - mean) / np.sqrt(variance + epsilon) * gamma + beta

    def conv(x, scope, stride=1, name="batch_norm", epsilon=1e-3):
        x = convolve(x, variables[f"{scope}/weights"], stride)
        return relu(norm(x, scope, name, epsilon))

    def depthwise(x, scope, stride=1, rate=1, name="batch_norm", epsilon=1e-3):
        x = convolve_depthwise(x, variables[f"{scope}/depthwise_weights"][..., 0], stride, rate)
        return norm(x, scope, name, epsilon)

    def branch(x, unit, stride=1):
        x = conv(x, f"{unit}/conv1x1_before")
        x = depthwise(x, f"{unit}/depthwise", stride)
        return conv(x, f"{unit}/conv1x1_after")

    net = conv(2.0 / 255.0 * image - 1.0, "ShuffleNetV2/Conv1", 2)
    net = max_pool(net, "same")
    for stage, units, stride in zip((2, 3, 4), STAGE_UNITS, (2, 2, 1)):
        unit = f"ShuffleNetV2/Stage{stage}/unit_1"
        y = branch(net, unit, stride)
        x = depthwise(net, f"{unit}/second_branch/depthwise", stride)
        x = conv(x, f"{unit}/second_branch/conv1x1_after")
        for index in range(2, units + 1):
            rows, columns, depth = x.shape
            z = np.concatenate([x, y], axis=2).reshape(rows, columns, 2, depth)
            z = z.transpose(0, 1, 3, 2).reshape(rows, columns, 2 * depth)
            x, y = z[..., :depth], z[..., depth:]
            x = branch(x, f"ShuffleNetV2/Stage{stage}/unit_{index}")
        net = np.concatenate([x, y], axis=2)

    slim = {"name": "BatchNorm", "epsilon": 1e-5}
    if head == "basic":
        pooled = conv(net.mean(axis=(0, 1), keepdims=True), "image_pooling", **slim)
        pooled = np.broadcast_to(pooled, (*net.shape[:2], 256))
        net = np.concatenate([pooled, conv(net, "aspp0", **slim)], axis=2)
        net = conv(net, "concat_projection", **slim)
    else:
        branches = []
        for index, (rate, source) in enumerate(DPC_CELL):
            scope = f"meta_architecture/branch{index}"
            x = net if source < 0 else branches[source]
            x = relu(depthwise(x, f"{scope}_depthwise", 1, rate, **slim))
            branches.append(conv(x, f"{scope}_pointwise", **slim))
        net = conv(np.concatenate(branches, axis=2), "meta_architecture/concat_projection", **slim)
    return convolve(net, variables["logits/semantic/weights"]) + variables["logits/semantic/biases"]


# --- torchvision and megvii-model/ShuffleNet-Series (PyTorch)


def _torch_conv(draw, name, outputs, inputs, kernel):
    draw.kernel(f"{name}.weight", (outputs, inputs, kernel, kernel), inputs * kernel * kernel)


def _torch_norm(draw, name, size):
    draw.norm([f"{name}.{p}" for p in ("weight", "bias", "running_mean", "running_var")], size)
    draw.variables[f"{name}.num_batches_tracked"] = np.int64(1000)


def torchvision_variables(depth_multiplier=1.0):
    """The state dict of torchvision.models.shufflenet_v2_x…."""
    draw = Draw(2)
    _torch_conv(draw, "conv1.0", 24, 3, 3)
    _torch_norm(draw, "conv1.1", 24)
    inputs = 24
    for stage, width, units in zip((2, 3, 4), STAGE_WIDTHS[depth_multiplier], STAGE_UNITS):
        half = width // 2
        for index in range(units):
            unit = f"stage{stage}.{index}"
            if index == 0:
                _torch_conv(draw, f"{unit}.branch1.0", inputs, 1, 3)
                _torch_norm(draw, f"{unit}.branch1.1", inputs)
                _torch_conv(draw, f"{unit}.branch1.2", half, inputs, 1)
                _torch_norm(draw, f"{unit}.branch1.3", half)
            _torch_conv(draw, f"{unit}.branch2.0", half, half if index else inputs, 1)
            _torch_norm(draw, f"{unit}.branch2.1", half)
            _torch_conv(draw, f"{unit}.branch2.3", half, 1, 3)
            _torch_norm(draw, f"{unit}.branch2.4", half)
            _torch_conv(draw, f"{unit}.branch2.5", half, half, 1)
            _torch_norm(draw, f"{unit}.branch2.6", half)
        inputs = width
    _torch_conv(draw, "conv5.0", 1024, inputs, 1)
    _torch_norm(draw, "conv5.1", 1024)
    draw.kernel("fc.weight", (1000, 1024), 1024)
    draw.vector("fc.bias", 1000, -1, 1)
    return draw.variables


def megvii_variables(depth_multiplier=1.0):
    """The state dict of megvii-model/ShuffleNet-Series' ShuffleNetV2."""
    draw = Draw(3)
    _torch_conv(draw, "first_conv.0", 24, 3, 3)
    _torch_norm(draw, "first_conv.1", 24)
    # For pixels of 0 to 255 instead of about -2 to 2.
    draw.variables["first_conv.0.weight"] /= 100
    inputs, number = 24, 0
    for width, units in zip(STAGE_WIDTHS[depth_multiplier], STAGE_UNITS):
        middle = width // 2
        for index in range(units):
            unit = f"features.{number}"
            number += 1
            taken = inputs if index == 0 else middle
            _torch_conv(draw, f"{unit}.branch_main.0", middle, taken, 1)
            _torch_norm(draw, f"{unit}.branch_main.1", middle)
            _torch_conv(draw, f"{unit}.branch_main.3", middle, 1, 3)
            _torch_norm(draw, f"{unit}.branch_main.4", middle)
            _torch_conv(draw, f"{unit}.branch_main.5", width - taken, middle, 1)
            _torch_norm(draw, f"{unit}.branch_main.6", width - taken)
            if index == 0:
                _torch_conv(draw, f"{unit}.branch_proj.0", inputs, 1, 3)
                _torch_norm(draw, f"{unit}.branch_proj.1", inputs)
                _torch_conv(draw, f"{unit}.branch_proj.2", inputs, inputs, 1)
                _torch_norm(draw, f"{unit}.branch_proj.3", inputs)
        inputs = width
    _torch_conv(draw, "conv_last.0", 1024, inputs, 1)
    _torch_norm(draw, "conv_last.1", 1024)
    draw.kernel("classifier.0.weight", (1000, 1024), 1024)
    return draw.variables


class _TorchLayers:
    """Sequences of convolution (odd ones depthwise), batch norm and ReLU, by their numbers."""

    def __init__(self, variables):
        self.variables = variables

    def conv(self, x, name, stride=1):
        kernel = self.variables[f"{name}.weight"]
        padding = kernel.shape[-1] // 2
        if kernel.shape[1] == 1:
            return convolve_depthwise(x, kernel[:, 0].transpose(1, 2, 0), stride, 1, padding)
        return convolve(x, kernel.transpose(2, 3, 1, 0), stride, padding)

    def norm(self, x, name):
        v = self.variables
        x = (x - v[f"{name}.running_mean"]) / np.sqrt(v[f"{name}.running_var"] + 1e-5)
        return x * v[f"{name}.weight"] + v[f"{name}.bias"]

    def stem(self, image, name):
        """`image` is normalised and already padded by one pixel."""
        kernel = self.variables[f"{name}.0.weight"].transpose(2, 3, 1, 0)
        x = relu(self.norm(convolve(image, kernel, 2, 0), f"{name}.1"))
        return max_pool(x, 1)

    def main(self, x, name, stride):
        x = relu(self.norm(self.conv(x, f"{name}.0"), f"{name}.1"))
        x = self.norm(self.conv(x, f"{name}.3", stride), f"{name}.4")
        return relu(self.norm(self.conv(x, f"{name}.5"), f"{name}.6"))

    def shortcut(self, x, name):
        x = self.norm(self.conv(x, f"{name}.0", 2), f"{name}.1")
        return relu(self.norm(self.conv(x, f"{name}.2"), f"{name}.3"))


def torchvision_stem(variables, image, border=None):
    """Features at output stride 4 of an RGB image with values 0 to 255.

    `border` is the colour around the image; None takes the model's own zeros behind its
    normalisation, which is the mean colour.
    """
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    around = 255 * mean if border is None else np.full(3, border)
    return _TorchLayers(variables).stem((_pad(image, around) / 255 - mean) / deviation, "conv1")


def torchvision_features(variables, image, border=None):
    """The same at output stride 32."""
    layers = _TorchLayers(variables)
    x = torchvision_stem(variables, image, border)
    for stage, units in zip((2, 3, 4), STAGE_UNITS):
        for index in range(units):
            unit = f"stage{stage}.{index}"
            if index == 0:
                parts = layers.shortcut(x, f"{unit}.branch1"), layers.main(x, f"{unit}.branch2", 2)
            else:
                first, second = np.split(x, 2, axis=2)
                parts = first, layers.main(second, f"{unit}.branch2", 1)
            x = np.concatenate(parts, axis=2)
            rows, columns, channels = x.shape
            x = x.reshape(rows, columns, 2, channels // 2).transpose(0, 1, 3, 2)
            x = x.reshape(rows, columns, channels)
    return x


def megvii_features(variables, image, border=0):
    """Features at output stride 32 of ShuffleNet's authors' model.

    It takes an image with values 0 to 255 as BGR, and pads with black.
    """
    layers = _TorchLayers(variables)
    x = layers.stem(_pad(image, np.full(3, border))[..., ::-1], "first_conv")
    number = 0
    for units in STAGE_UNITS:
        for index in range(units):
            unit = f"features.{number}"
            number += 1
            if index == 0:
                shortcut = layers.shortcut(x, f"{unit}.branch_proj")
                parts = shortcut, layers.main(x, f"{unit}.branch_main", 2)
            else:
                parts = x[..., 0::2], layers.main(x[..., 1::2], f"{unit}.branch_main", 1)
            x = np.concatenate(parts, axis=2)
    return x


def _pad(image, color):
    rows, columns, _ = image.shape
    padded = np.empty((rows + 2, columns + 2, 3))
    padded[:] = color
    padded[1:-1, 1:-1] = image
    return padded
