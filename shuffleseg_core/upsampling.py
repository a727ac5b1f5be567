"""From logits at output stride to class ids at any size, without logits of that size.

Between four neighbouring samples a bilinear blend is convex: a class that is above another one at
all four is above it everywhere between them. So where one class leads at all four, the cell is
its, and elsewhere only those classes are blended that no other one is above at all four corners.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: What rounding may take from a lead, as a share of the largest logit: each of a blend's two steps
#: rounds two products and a sum of float32, and two blends are compared.
ROUNDING = 16 * 2.0**-24

_BLOCK = 1 << 15  # pixels blended at once: a few such buffers stay in a small core's cache


class LabelUpsampler:
    """Bilinear resize of all logits in float32, then argmax (ties: the lowest id).

    The resize is, first along the rows and then along the columns, a · (1 − f) + b · f with f the
    float32 distance from sample a. Every operation rounds monotonically, so that the labels
    are exactly those of blending all classes at all pixels.

    Args:
        align_corners: corner samples of both grids lie upon each other; otherwise pixel
            areas do (half-pixel centres).

    Attributes:
        blended_share: of the last result's pixels, the share that lay in cells of several classes.
    """

    def __init__(self, align_corners: bool = False):
        self.align_corners = align_corners
        self.blended_share = 0.0
        self._sizes = None  # (of the logits, wanted) that the grids fit
        self._values = [np.empty(_BLOCK, np.float32) for _ in range(3)]
        self._bytes = [np.empty(_BLOCK, np.uint8) for _ in range(3)]

    def __call__(
        self, logits: np.ndarray, size: tuple[int, int], out: np.ndarray | None = None
    ) -> np.ndarray:
        """Resize and choose.

        Args:
            logits: [h, w, C] of a real dtype, C from 1 to 256.
            size: (width, height) wanted.
            out: uint8 [height, width], C-contiguous, to write into; None takes a new array.

        Returns:
            uint8 [height, width].
        """
        width, height = size
        if self._sizes != (logits.shape, size):
            self._sizes = (logits.shape, size)
            self._rows = _Cells.of(height, logits.shape[0], self.align_corners)
            self._columns = _Cells.of(width, logits.shape[1], self.align_corners)
            self._planes = np.empty((logits.shape[2], *logits.shape[:2]), np.float32)
            self._stretched = np.empty((logits.shape[0] + 1, width), np.uint8)
            self._has_pixels = self._rows.count[:, None] * self._columns.count > 0
        if out is None:
            out = np.empty((height, width), np.uint8)
        planes = self._planes
        np.copyto(planes, logits.transpose(2, 0, 1))
        leader, lead = _leaders(planes)
        tolerance = np.float32(ROUNDING) * max(planes.max(), -planes.min())
        # One more cell than samples in each direction: before the first sample and behind the last
        # the border's is repeated.
        corners = np.pad(leader, 1, mode="edge")
        of_cell = corners[:-1, :-1]
        mixed = (of_cell != corners[:-1, 1:]) | (of_cell != corners[1:, :-1])
        mixed |= of_cell != corners[1:, 1:]
        unsure = np.pad(~(lead > tolerance), 1, mode="edge")
        mixed |= unsure[:-1, :-1] | unsure[:-1, 1:] | unsure[1:, :-1] | unsure[1:, 1:]
        mixed &= self._has_pixels
        np.take(of_cell, self._columns.of_pixel, axis=1, out=self._stretched, mode="clip")
        np.take(self._stretched, self._rows.of_pixel, axis=0, out=out, mode="clip")
        cells = np.nonzero(mixed)
        self.blended_share = float(
            np.dot(self._rows.count[cells[0]], self._columns.count[cells[1]]) / out.size
        )
        if cells[0].size:
            self._blend(planes, cells, tolerance, out)
        return out

    def _blend(self, planes, cells, tolerance, out) -> None:
        """Write the pixels of the cells ([n] rows, [n] columns), class after class."""
        y, x = cells
        height, width = planes.shape[1:]
        top, bottom = np.maximum(y - 1, 0), np.minimum(y, height - 1)
        left, right = np.maximum(x - 1, 0), np.minimum(x, width - 1)
        flat = planes.reshape(len(planes), -1)
        corners = np.stack(
            [flat[:, r * width + c] for r in (top, bottom) for c in (left, right)]
        )  # [4, C, n]
        possible = _possible_classes(corners, tolerance)
        # Cells of many possible classes first, so that the k-th class concerns the first few cells.
        number = possible.sum(axis=0)
        order = np.argsort(-number, kind="stable")
        y, x, number = y[order], x[order], number[order]
        classes = np.nonzero(possible.T[order])[1].astype(np.uint8)
        start = np.cumsum(number) - number
        row_weights = self._rows.weight[:, y]
        column_weights = self._columns.weight[:, x]
        row_offset = self._rows.pixel[:, y] * np.int64(out.shape[1])
        column_offset = self._columns.pixel[:, x]
        ranks = []  # of each class: how many cells, its ids, its values at their rows' ends
        for rank in range(number[0]):
            count = np.count_nonzero(number > rank)
            ids = classes[start[:count] + rank]
            a, b, c, d = corners[:, ids, order[:count]]
            f = column_weights[:, :count]
            ranks.append((count, ids, a * (1 - f) + b * f, c * (1 - f) + d * f))
        pixels = out.reshape(-1)
        columns, cell_count = column_weights.shape
        step = max(_BLOCK // (columns * cell_count), 1)
        if columns * cell_count > len(self._values[0]):
            self._values = [np.empty(columns * cell_count, np.float32) for _ in range(3)]
            self._bytes = [np.empty(columns * cell_count, np.uint8) for _ in range(3)]
        for first in range(0, len(row_weights), step):
            rows = slice(first, first + step)
            labels = self._blend_rows(row_weights[rows], ranks)
            pixels[row_offset[rows, None] + column_offset] = labels

    def _blend_rows(self, f, ranks) -> np.ndarray:
        """uint8 [rows, columns, n] of those rows of all cells that have the weights f [rows, n]."""
        f = f[:, None]
        rest = 1 - f
        count, ids, top, bottom = ranks[0]
        shape = (len(f), *top.shape)
        best, value, product = (_view(buffer, shape) for buffer in self._values)
        labels, change, wins = (_view(buffer, shape) for buffer in self._bytes)
        np.multiply(top, rest, out=best)
        np.multiply(bottom, f, out=product)
        best += product
        labels[:] = ids
        for count, ids, top, bottom in ranks[1:]:
            part = np.s_[:, :, :count]
            np.multiply(top, rest[..., :count], out=value[part])
            np.multiply(bottom, f[..., :count], out=product[part])
            value[part] += product[part]
            np.greater(value[part], best[part], out=wins.view(bool)[part])
            np.maximum(value[part], best[part], out=best[part])
            # Where it wins, the id: without a branch, byte by byte.
            np.subtract(ids, labels[part], out=change[part])
            change[part] *= wins[part]
            labels[part] += change[part]
        return labels


@dataclass(frozen=True)
class _Cells:
    """One direction of the grid: n samples have n + 1 cells, before, between and behind them.

    Attributes:
        of_pixel: intp [size], the cell of each pixel.
        count: intp [n + 1], pixels of each cell.
        pixel: intp [most, n + 1], the pixels of each cell, its last repeated up to most.
        weight: float32 [most, n + 1], how far each lies from the sample before the cell.
    """

    of_pixel: np.ndarray
    count: np.ndarray
    pixel: np.ndarray
    weight: np.ndarray

    @classmethod
    def of(cls, size: int, samples: int, align_corners: bool) -> _Cells:
        sample = np.floor(position := sample_positions(size, samples, align_corners))
        weight = position - sample
        of_pixel = sample.astype(np.intp) + 1
        count = np.bincount(of_pixel, minlength=samples + 1)
        first = np.cumsum(count) - count
        most = np.arange(count.max())[:, None]
        pixel = np.minimum(first + np.minimum(most, np.maximum(count - 1, 0)), size - 1)
        return cls(of_pixel, count, pixel, weight[pixel])


def sample_positions(size: int, samples: int, align_corners: bool) -> np.ndarray:
    """float32 [size]: where new samples lie among old ones, from −1 (before the first) up to
    samples − 1; half-pixel centres beyond the border's samples stay beyond them."""
    position = np.arange(size, dtype=np.float64)
    if align_corners:
        position *= (samples - 1) / max(size - 1, 1)
    else:
        position = (position + 0.5) * (samples / size) - 0.5
    return np.minimum(position, samples - 1).astype(np.float32)


def _leaders(planes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """uint8 [h, w]: the class of the largest value, and float32 [h, w]: by how much it is above
    those of lower ids (which would win if rounding made both alike)."""
    best = planes[0].copy()
    lead = np.full_like(best, np.inf)
    leader = np.zeros(best.shape, np.uint8)
    gap = np.empty_like(best)
    for class_id, plane in enumerate(planes[1:], start=1):
        np.subtract(plane, best, out=gap)
        better = gap > 0
        np.copyto(lead, gap, where=better)
        np.copyto(leader, class_id, where=better)
        np.maximum(plane, best, out=best)
    return leader, lead


def _possible_classes(corners: np.ndarray, tolerance) -> np.ndarray:
    """bool [C, n]: classes of cells ([4, C, n]) that no class tried is above at all four corners.

    Tried are the one with the highest lowest corner and the leader of each corner: never too few
    classes are left.
    """
    cells = np.arange(corners.shape[2])
    leaders = [corners.min(axis=0).argmax(axis=0), *corners.argmax(axis=1)]
    possible = np.ones(corners.shape[1:], bool)
    limits = corners + tolerance
    for leader in leaders:
        above = limits < corners[:, leader, cells][:, None]
        possible &= ~above.all(axis=0)
    return possible


def _view(buffer: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return buffer[: shape[0] * shape[1] * shape[2]].reshape(shape)


def align_corners_matrix(size: int, source_size: int) -> np.ndarray:
    """float32 [size, source_size]: weights of the source samples in each new sample."""
    position = np.arange(size) * ((source_size - 1) / max(size - 1, 1))
    distance = np.abs(position[:, None] - np.arange(source_size)[None])
    return np.maximum(1.0 - distance, 0.0).astype(np.float32)
