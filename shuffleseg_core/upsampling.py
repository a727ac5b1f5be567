"""From logits at output stride to class ids at any size, without logits of that size.

Between four neighbouring samples a bilinear blend is convex: a class that is above another one at
all four is above it everywhere between them. So where one class leads at all four, the cell is
its, and elsewhere only those classes are blended that no other one is above at all four corners.

C does it where it could be compiled (native/label_upsampling.c), elsewhere numpy; labels are equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .compiled_labels import IS_BUILT, CompiledLabels

#: What rounding may take from a lead, as a share of the largest logit: each of a blend's two steps
#: rounds two products and a sum of float32, and two blends are compared.
ROUNDING = 16 * 2.0**-24

#: Mixed cells cost about this many pixels each beside their own; where that is more than the whole
#: image, all of it is blended.
_CELL_PIXELS = 125
_LARGEST = np.float32(1e38)  # in the place of infinity, whose product with 0 is no number

_BLOCK = 1 << 15  # pixels blended at once: a few such buffers stay in a small core's cache
_SMALLEST = np.float32(1e-37)  # added to tolerances, which numbers near 0 would leave without
_UNSURE = 255  # in the place of a class id


class LabelUpsampler:
    """Bilinear resize of all logits in float32, then argmax (ties: the lowest id).

    The resize is, first along the rows and then along the columns, a · (1 − f) + b · f with f the
    float32 distance from sample a. Every operation rounds monotonically, so that the labels
    are exactly those of blending all classes at all pixels.

    Args:
        align_corners: corner samples of both grids lie upon each other; otherwise pixel
            areas do (half-pixel centres).
        compiled: whether C does it; None takes it where it was built.

    Attributes:
        blended_share: of the last result's pixels, the share that lay in cells of several classes.
    """

    def __init__(self, align_corners: bool = False, compiled: bool | None = None):
        self.align_corners = align_corners
        self.compiled = IS_BUILT if compiled is None else compiled
        if self.compiled and not IS_BUILT:
            raise ValueError("the compiled labels were not built")
        self.blended_share = 0.0
        self._sizes = None  # what the grids fit
        self._values = [np.empty(_BLOCK, np.float32) for _ in range(3)]
        self._bytes = [np.empty(_BLOCK, np.uint8) for _ in range(3)]

    def __call__(
        self, logits: np.ndarray, size: tuple[int, int], out: np.ndarray | None = None
    ) -> np.ndarray:
        """Resize and choose.

        Args:
            logits: [h, w, C] of a real dtype, C from 1 to 256. Where one is not a number, its
                class does not win.
            size: (width, height) wanted.
            out: uint8 [height, width], C-contiguous, to write into; None takes a new array.

        Returns:
            uint8 [height, width].

        Raises:
            ValueError: `out` is no such array.
        """
        width, height = size
        sizes = (logits.shape, size, self.align_corners)
        if self._sizes != sizes:
            self._sizes = None
            self._prepare(*logits.shape, width, height)
            self._sizes = sizes
        if out is None:
            out = np.empty((height, width), np.uint8)
        elif out.dtype != np.uint8 or out.shape != (height, width) or not out.flags.c_contiguous:
            raise ValueError(f"out is {out.dtype} {out.shape}; give a whole uint8 {height, width}")
        if self.compiled:
            self.blended_share = self._compiled(logits, out) / out.size
            return out
        largest = self._copy_in(logits)
        planes = self._planes
        if logits.shape[:2] == out.shape:
            np.copyto(out, planes.argmax(axis=0), casting="unsafe")
            return out
        tolerance = self._choose_leaders(largest)
        of_cell = self._leaders[:-1, :-1]
        mixed = of_cell != self._leaders[:-1, 1:]
        mixed |= of_cell != self._leaders[1:, :-1]
        mixed |= of_cell != self._leaders[1:, 1:]
        mixed |= of_cell == _UNSURE
        mixed &= self._has_pixels
        y, x = np.divmod(np.flatnonzero(mixed), mixed.shape[1])
        self.blended_share = float(np.dot(self._rows.count[y], self._columns.count[x]) / out.size)
        if _CELL_PIXELS * y.size > out.size:
            self._blend_all(out)
            return out
        np.take(of_cell, self._columns.of_pixel, axis=1, out=self._stretched, mode="clip")
        np.take(self._stretched, self._rows.of_pixel, axis=0, out=out, mode="clip")
        if y.size:
            self._blend(planes, y, x, tolerance, out)
        return out

    def _prepare(self, samples_y: int, samples_x: int, classes: int, width: int, height: int):
        self._rows = _Cells.of(height, samples_y, self.align_corners)
        self._columns = _Cells.of(width, samples_x, self.align_corners)
        if self.compiled:
            directions = self._rows, self._columns
            self._compiled = CompiledLabels(
                (samples_y, samples_x, classes),
                [np.cumsum([0, *cells.count]) for cells in directions],
                [cells.of_pixel_weight for cells in directions],
                (ROUNDING, _SMALLEST, _LARGEST),
            )
            return
        self._has_pixels = self._rows.count[:, None] * self._columns.count > 0
        self._planes = np.empty((classes, samples_y, samples_x), np.float32)
        self._best = np.empty((samples_y, samples_x), np.float32)
        # Of every sample, and around them the border's once more: the corners of all cells.
        self._leaders = np.empty((samples_y + 2, samples_x + 2), np.uint8)
        self._stretched = np.empty((samples_y + 1, width), np.uint8)

    def _copy_in(self, logits: np.ndarray) -> np.ndarray:
        """Fill `_planes` with finite numbers; returns each class's largest magnitude, [C]."""
        planes = self._planes
        np.copyto(planes, logits.transpose(2, 0, 1))
        flat = planes.reshape(len(planes), -1)
        largest = np.maximum(flat.max(axis=1), -flat.min(axis=1))
        if not (largest <= _LARGEST).all():
            np.nan_to_num(planes, copy=False, nan=-_LARGEST, posinf=_LARGEST, neginf=-_LARGEST)
            np.clip(planes, -_LARGEST, _LARGEST, out=planes)
            largest = np.abs(flat).max(axis=1)
        return largest

    def _choose_leaders(self, largest: np.ndarray) -> np.ndarray:
        """Fill `_leaders` with the class of each sample's largest logit, or with `_UNSURE` where
        rounding might let another one win; returns how much it may take from each class, [C]."""
        planes, best = self._planes, self._best
        np.copyto(best, planes[0])
        for plane in planes[1:]:
            np.maximum(best, plane, out=best)
        largest = np.maximum(largest, np.abs(best).max())
        tolerance = np.float32(ROUNDING) * largest + _SMALLEST
        leaders = self._leaders[1:-1, 1:-1]
        leaders[:] = 0
        number = np.zeros(best.shape, np.uint8)
        for class_id, plane in enumerate(planes):
            near = (plane + tolerance[class_id] >= best).view(np.uint8)
            number += near
            near *= np.uint8(class_id)
            leaders += near
        leaders[number != 1] = _UNSURE
        if len(planes) == 256:  # the id itself is taken
            leaders[planes[_UNSURE] + tolerance[_UNSURE] >= best] = _UNSURE
        self._leaders[0], self._leaders[-1] = self._leaders[1], self._leaders[-2]
        self._leaders[:, 0], self._leaders[:, -1] = self._leaders[:, 1], self._leaders[:, -2]
        return tolerance

    def _blend(self, planes, y, x, tolerance, out) -> None:
        """Write the pixels of the cells (rows y, columns x; [n] each), class after class."""
        classes, height, width = planes.shape
        ends_y = np.maximum(y - 1, 0) * width, np.minimum(y, height - 1) * width
        ends_x = np.maximum(x - 1, 0), np.minimum(x, width - 1)
        samples = np.concatenate([row + column for row in ends_y for column in ends_x])
        flat = planes.reshape(classes, -1)
        corners = flat.take(samples, axis=1).reshape(classes, 4, -1)
        leaders = [self._leaders[y + j, x + i] for j in (0, 1) for i in (0, 1)]
        possible = _possible_classes(corners, leaders, tolerance)
        # Most cells have two. The others are few enough that their many steps are large ones.
        two = possible.sum(axis=0) == 2
        if two.any():
            cells = np.flatnonzero(two)
            grid = self._grid(y[cells], x[cells], out)
            self._blend_two(corners[..., cells], possible[:, cells], tolerance, grid)
        if not two.all():
            cells = np.flatnonzero(~two)
            self._blend_any(corners[..., cells], possible[:, cells], y[cells], x[cells], out)

    def _grid(self, y, x, out) -> _Grid:
        return _Grid(
            self._rows.weight[:, y],
            self._columns.weight[:, x],
            self._rows.pixel[:, y] * np.int64(out.shape[1]),
            self._columns.pixel[:, x],
            out.reshape(-1),
        )

    def _blend_two(self, corners, possible, tolerance, grid: _Grid) -> None:
        """Label cells of two possible classes, given values [C, 4, n] and possible classes [C, n].

        Down a column of pixels the difference of two classes is linear: the second one wins on one
        side of a row, which is computed once. Pixels too near to it are blended.
        """
        ids = np.flatnonzero(possible.T) % len(possible)
        ids = ids.reshape(-1, 2).T
        a, b, c, d = corners[ids, :, np.arange(ids.shape[1])].transpose(2, 0, 1)[:, :, None]
        top, bottom = _between(a, b, grid.x), _between(c, d, grid.x)  # [2, columns, n]
        at_top = top[1] - top[0]
        slope = (bottom[1] - bottom[0]) - at_top
        near = 4 * tolerance[ids].max(axis=0)
        flat = ~(np.abs(slope) > near)
        slope[flat] = 1
        row = at_top / -slope
        margin = near / np.abs(slope)
        low, high = row - margin, row + margin
        if flat.any():
            low[flat] = np.where(at_top < -2 * near, np.inf, -np.inf)[flat]
            high[flat] = np.where(at_top > 2 * near, -np.inf, np.inf)[flat]
        falls = slope < 0
        first, change = ids[0].astype(np.uint8), np.diff(ids, axis=0)[0].astype(np.uint8)
        for rows in grid.row_blocks():
            f = grid.y[rows, None]
            shape = (len(f), *low.shape)
            wins, surely, labels = (self._byte_buffer(i, shape) for i in range(3))
            np.greater(f, low, out=wins.view(bool))
            np.greater(f, high, out=surely.view(bool))
            if np.count_nonzero(wins) != np.count_nonzero(surely):
                r, j, n = np.nonzero(wins != surely)
                values = _between(top[:, j, n], bottom[:, j, n], f[r, 0, n])
                wins[r, j, n] = (values[1] > values[0]) ^ falls[j, n]
            wins ^= falls.view(np.uint8)
            np.multiply(wins, change, out=labels)
            labels += first
            grid.write_rows(rows, labels)

    def _blend_all(self, out) -> None:
        """Blend all classes at all pixels, a block of rows at a time."""
        height, width = out.shape
        rows, columns = (
            self._rows.ends(self._planes.shape[1]),
            self._columns.ends(self._planes.shape[2]),
        )
        step = max(_BLOCK // width, 1)
        for first in range(0, height, step):
            block = slice(first, min(first + step, height))
            top, bottom, f = (part[block] for part in rows)
            f = f[:, None]
            samples, place = np.unique(np.concatenate([top, bottom]), return_inverse=True)
            shape = (1, len(f), width)
            best, value, product = (self._value_buffer(i, shape)[0] for i in range(3))
            labels = out[block]
            for class_id, plane in enumerate(self._planes):
                wide = plane[samples]
                wide = _between(wide[:, columns[0]], wide[:, columns[1]], columns[2])
                target = value if class_id else best
                np.multiply(wide[place[: len(f)]], 1 - f, out=target)
                np.multiply(wide[place[len(f) :]], f, out=product)
                target += product
                if class_id:
                    np.copyto(labels, class_id, where=value > best)
                    np.maximum(value, best, out=best)
                else:
                    labels[:] = 0

    def _blend_any(self, corners, possible, y, x, out) -> None:
        """Label cells of any number of possible classes: blend one after another."""
        # Cells of many possible classes first, so that the k-th class concerns the first few cells.
        number = possible.sum(axis=0)
        order = np.argsort(-number, kind="stable")
        y, x, number = y[order], x[order], number[order]
        cell, ids = np.divmod(np.flatnonzero(possible.T[order]), len(possible))
        rank = np.arange(len(cell)) - (np.cumsum(number) - number)[cell]
        by_rank = np.argsort(rank.astype(np.uint8), kind="stable")
        cell, ids = cell[by_rank], ids[by_rank]
        a, b, c, d = corners.reshape(-1)[
            (4 * ids + np.arange(4)[:, None]) * len(order) + order[cell]
        ]
        grid = self._grid(y, x, out)
        f = grid.x.T[cell]
        top, bottom = _between(a[:, None], b[:, None], f), _between(c[:, None], d[:, None], f)
        ids = ids.astype(np.uint8)
        counts = np.bincount(rank)
        begins = np.cumsum(counts) - counts
        # Cells come first in memory here: the few of a high rank are then one piece.
        for cells in grid.cell_blocks():
            ranks = []
            for count, begin in zip(counts, begins):
                pairs = slice(begin + cells.start, begin + min(count, cells.stop))
                if pairs.start < pairs.stop:
                    ranks.append((ids[pairs, None, None], top[pairs, None], bottom[pairs, None]))
            grid.write_cells(cells, self._blend_block(grid.y.T[cells, :, None], ranks))

    def _blend_block(self, f, ranks) -> np.ndarray:
        """uint8 [n, rows, columns]: labels of cells whose rows have the weights f [n, rows, 1].

        `ranks` are, for the first class of every cell, the second and so on: ids [≤ n, 1, 1] and
        values along the top and the bottom of the cells [≤ n, 1, columns].
        """
        rest = 1 - f
        ids, top, bottom = ranks[0]
        shape = (len(f), f.shape[1], top.shape[2])
        best, value, product = (self._value_buffer(i, shape) for i in range(3))
        labels, change, wins = (self._byte_buffer(i, shape) for i in range(3))
        np.multiply(top, rest, out=best)
        np.multiply(bottom, f, out=product)
        best += product
        labels[:] = ids
        for ids, top, bottom in ranks[1:]:
            n = len(ids)
            np.multiply(top, rest[:n], out=value[:n])
            np.multiply(bottom, f[:n], out=product[:n])
            value[:n] += product[:n]
            np.greater(value[:n], best[:n], out=wins[:n].view(bool))
            np.maximum(value[:n], best[:n], out=best[:n])
            # Where it wins, the id: without a branch, byte by byte.
            np.subtract(ids, labels[:n], out=change[:n])
            change[:n] *= wins[:n]
            labels[:n] += change[:n]
        return labels

    def _value_buffer(self, number: int, shape) -> np.ndarray:
        return _buffer(self._values, number, shape)

    def _byte_buffer(self, number: int, shape) -> np.ndarray:
        return _buffer(self._bytes, number, shape)


def _buffer(buffers: list[np.ndarray], number: int, shape: tuple[int, ...]) -> np.ndarray:
    """The buffer of that number in that shape; larger from now on where it was too small."""
    size = shape[0] * shape[1] * shape[2]
    if len(buffers[number]) < size:
        buffers[number] = np.empty(size, buffers[number].dtype)
    return buffers[number][:size].reshape(shape)


@dataclass(frozen=True)
class _Grid:
    """The pixels of n cells of a label image.

    Attributes:
        y: float32 [rows, n], how far down in the cell each row of pixels lies.
        x: float32 [columns, n], the same to the right.
        row_offset, column_offset: int64 [rows, n] and [columns, n], their sum is a pixel's place.
        pixels: uint8, the label image without its shape.
    """

    y: np.ndarray
    x: np.ndarray
    row_offset: np.ndarray
    column_offset: np.ndarray
    pixels: np.ndarray

    def row_blocks(self):
        """Slices of rows, each of about `_BLOCK` pixels."""
        step = max(_BLOCK // self.x.size, 1)
        return [slice(first, first + step) for first in range(0, len(self.y), step)]

    def cell_blocks(self):
        """Slices of cells, each of about `_BLOCK` pixels."""
        count = self.y.shape[1]
        step = max(_BLOCK // (len(self.y) * len(self.x)), 1)
        return [slice(first, min(first + step, count)) for first in range(0, count, step)]

    def write_rows(self, rows: slice, labels: np.ndarray) -> None:
        """Labels uint8 [rows, columns, n]."""
        self.pixels[self.row_offset[rows, None] + self.column_offset] = labels

    def write_cells(self, cells: slice, labels: np.ndarray) -> None:
        """Labels uint8 [n, rows, columns]."""
        offset = self.row_offset.T[cells, :, None] + self.column_offset.T[cells, None]
        self.pixels[offset] = labels


@dataclass(frozen=True)
class _Cells:
    """One direction of the grid: n samples have n + 1 cells, before, between and behind them.

    Attributes:
        of_pixel: intp [size], the cell of each pixel.
        count: intp [n + 1], pixels of each cell.
        pixel: intp [most, n + 1], the pixels of each cell, its last repeated up to most.
        weight: float32 [most, n + 1], how far each lies from the sample before the cell.
        of_pixel_weight: float32 [size], the same for each pixel.
    """

    of_pixel: np.ndarray
    count: np.ndarray
    pixel: np.ndarray
    weight: np.ndarray
    of_pixel_weight: np.ndarray

    def ends(self, samples: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of each pixel: the sample before it, the one behind it, and how far it lies between."""
        before, behind = np.maximum(self.of_pixel - 1, 0), np.minimum(self.of_pixel, samples - 1)
        return before, behind, self.of_pixel_weight

    @classmethod
    def of(cls, size: int, samples: int, align_corners: bool) -> _Cells:
        sample = np.floor(position := sample_positions(size, samples, align_corners))
        weight = position - sample
        of_pixel = sample.astype(np.intp) + 1
        count = np.bincount(of_pixel, minlength=samples + 1)
        first = np.cumsum(count) - count
        most = np.arange(count.max())[:, None]
        pixel = np.minimum(first + np.minimum(most, np.maximum(count - 1, 0)), size - 1)
        return cls(of_pixel, count, pixel, weight[pixel], weight)


def sample_positions(size: int, samples: int, align_corners: bool) -> np.ndarray:
    """float32 [size]: where new samples lie among old ones, from −1 (before the first) up to
    samples − 1; half-pixel centres beyond the border's samples stay beyond them."""
    position = np.arange(size, dtype=np.float64)
    if align_corners:
        position *= (samples - 1) / max(size - 1, 1)
    else:
        position = (position + 0.5) * (samples / size) - 0.5
    return np.minimum(position, samples - 1).astype(np.float32)


def _possible_classes(corners: np.ndarray, leaders, tolerance) -> np.ndarray:
    """bool [C, n]: classes of cells (values [C, 4, n]) that none of the corners' leaders (4 × [n])
    is above at all four corners."""
    cells = np.arange(corners.shape[2])
    possible = np.ones((len(corners), len(cells)), bool)
    limits = corners + tolerance[:, None, None]
    for leader in leaders:
        leader = np.minimum(leader, len(corners) - 1)  # any class will do where none is sure
        below = limits < corners[leader, :, cells].T
        possible &= ~below.all(axis=1)
    return possible


def _between(a, b, f):
    """The blend of a and b, f of the way from a."""
    return a * (1 - f) + b * f


@lru_cache(maxsize=16)
def align_corners_matrix(size: int, source_size: int) -> np.ndarray:
    """float32 [size, source_size]: weights of the source samples in each new sample; not to be
    written to."""
    position = np.arange(size) * ((source_size - 1) / max(size - 1, 1))
    distance = np.abs(position[:, None] - np.arange(source_size)[None])
    return np.maximum(1.0 - distance, 0.0).astype(np.float32)
