"""The canvas: colour and class id in one four-channel picture, so both share every mask."""

import cv2
import numpy as np

from .camera import SHIFT, to_fixed

COVERED = 0.3  # a see-through sprite owns the pixels it covers at least this much


def with_class(rgb, class_id):
    """Append a class id channel to an RGB picture: uint8 [H, W, 4]."""
    ids = np.full(rgb.shape[:2], class_id, np.uint8)
    return np.ascontiguousarray(np.dstack([rgb, ids]))


def pyramid(image, smallest=12):
    """The picture and its halves, largest first."""
    levels = [np.ascontiguousarray(image)]
    while min(levels[-1].shape[:2]) >= 2 * smallest:
        height, width = levels[-1].shape[:2]
        levels.append(
            cv2.resize(levels[-1], (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        )
    return levels


def premultiplied(rgb, alpha):
    """A see-through sprite: colours times alpha, and alpha, uint8 [H, W, 4]."""
    alpha = np.clip(alpha, 0, 1).astype(np.float32)[..., None]
    return np.rint(np.concatenate([rgb * alpha, 255 * alpha], axis=2)).astype(np.uint8)


class Canvas:
    """Paint back to front on .pixels, uint8 [H, W, 4]: red, green, blue, class id."""

    def __init__(self, width, height):
        self.width, self.height = width, height
        self.pixels = np.zeros((height, width, 4), np.uint8)

    def polygon(self, fixed, colour):
        """Fill a polygon of int32 fixed-point points [N, 2] with (r, g, b, id)."""
        cv2.fillPoly(self.pixels, [fixed], colour, cv2.LINE_8, SHIFT)

    def wall(self, levels, quad, crop=(0.0, 1.0), class_id=None):
        """Warp a texture onto a quadrilateral.

        levels: pyramid of uint8 [h, w, 4]; opaque pictures with their class id, or, where
        class_id is given, see-through sprites. quad: float [4, 2], the pixels of the
        texture's left top, right top, right bottom and left bottom. crop: the part of the
        texture's width that is shown.
        """
        box = self._box(quad)
        if box is None:
            return
        x0, y0, x1, y1 = box
        if x1 - x0 < 3:
            return  # too thin to be seen
        tall = max(quad[3, 1] - quad[0, 1], quad[2, 1] - quad[1, 1])
        if x1 - x0 < 7:  # too thin for its texture to be seen
            colour = levels[-1].reshape(-1, 4).mean(0).astype(int).tolist()
            if class_id is not None:
                colour = [255 * c // max(colour[3], 1) for c in colour[:3]] + [class_id]
            self.polygon(to_fixed(quad), colour)
            return
        texture = _level(levels, tall)
        height, width = texture.shape[:2]
        left, right = crop[0] * width - 0.5, crop[1] * width - 0.5
        corners = np.float32(
            [[left, -0.5], [right, -0.5], [right, height - 0.5], [left, height - 0.5]]
        )
        target = np.float32(quad - (x0, y0))
        if abs(cv2.contourArea(target)) < 0.5:
            return
        matrix = cv2.getPerspectiveTransform(corners, target)
        region = self.pixels[y0:y1, x0:x1]
        if class_id is None:
            # A mask of its own, as BORDER_TRANSPARENT mixes ids along the edges.
            warped = cv2.warpPerspective(
                texture, matrix, (x1 - x0, y1 - y0), borderMode=cv2.BORDER_REPLICATE
            )
            mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
            cv2.fillConvexPoly(mask, to_fixed(target), 255, cv2.LINE_8, SHIFT)
            cv2.copyTo(warped, mask, region)
        else:
            self._blend(region, cv2.warpPerspective(texture, matrix, (x1 - x0, y1 - y0)), class_id)

    def sprite(self, levels, left, top, width, height, class_id):
        """Blend an upright see-through sprite into the rectangle given in pixels."""
        quad = np.float32([[left, top], [left + width, top + height]])
        box = self._box(quad)
        if box is None or width < 1 or height < 1:
            return
        x0, y0, x1, y1 = box
        texture = _level(levels, height)
        sx, sy = width / texture.shape[1], height / texture.shape[0]
        matrix = np.float64(
            [[sx, 0, left - x0 + 0.5 * sx - 0.5], [0, sy, top - y0 + 0.5 * sy - 0.5]]
        )
        warped = cv2.warpAffine(texture, matrix, (x1 - x0, y1 - y0))
        self._blend(self.pixels[y0:y1, x0:x1], warped, class_id)

    def _box(self, points):
        low, high = np.floor(points.min(0)), np.ceil(points.max(0)) + 1
        x0, y0 = max(int(low[0]), 0), max(int(low[1]), 0)
        x1, y1 = min(int(high[0]), self.width), min(int(high[1]), self.height)
        return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None

    @staticmethod
    def _blend(region, sprite, class_id):
        alpha = cv2.extractChannel(sprite, 3)
        through = cv2.cvtColor(cv2.bitwise_not(alpha), cv2.COLOR_GRAY2RGBA)
        cv2.insertChannel(cv2.bitwise_not(alpha), through, 3)
        owned = alpha >= int(255 * COVERED)
        ids = region[..., 3].copy()
        ids[owned] = class_id
        blended = cv2.add(cv2.multiply(region, through, scale=1 / 255.0), sprite)
        region[...] = blended
        region[..., 3] = ids


def _level(levels, tall):
    """The smallest level that is at least as tall as what is drawn."""
    for level in reversed(levels):
        if level.shape[0] >= 0.8 * tall:
            return level
    return levels[0]
