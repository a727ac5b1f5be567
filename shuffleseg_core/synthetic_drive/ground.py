"""The ground: road, markings, kerbs and pavements as one tile that follows the road."""

import cv2
import numpy as np

from .camera import SHIFT, to_fixed
from .canvas import with_class
from .classes import PAVEMENT, ROAD, TREE
from .noise import cloud_noise, smooth_noise, tint

_REACH = 14.0  # metres of ground on both sides of the centre line
_LENGTH = 60.0  # metres after which the tile repeats
_ACROSS, _ALONG = 40, 20  # pixels a metre
# Halvings of the tile, ever coarser with distance: (across, along).
_LEVELS = ((1, 1), (2, 4), (4, 16), (4, 64))
_FAR = 260.0  # metres


class Ground:
    """The ground of one drive."""

    def __init__(self, rng, street, light):
        self._street = street
        tile, ids = self._tile(rng)
        if light.mood == "dusk":
            tile = (tile * 0.9).astype(np.uint8)
        self._levels = []
        for across, along in _LEVELS:
            small = cv2.resize(
                tile,
                (tile.shape[1] // across, tile.shape[0] // along),
                interpolation=cv2.INTER_AREA,
            )
            level = with_class(small, ROAD)
            height, width = small.shape[:2]
            level[..., 3] = ids[along // 2 :: along, across // 2 :: across][:height, :width]
            self._levels.append(level)

    def _tile(self, rng):
        street = self._street
        wide, long = int(2 * _REACH * _ACROSS), int(_LENGTH * _ALONG)
        d = (np.arange(wide) + 0.5) / _ACROSS - _REACH
        s = (np.arange(long) + 0.5) / _ALONG
        fine = smooth_noise(rng, long, wide, 0.0)
        coarse = cloud_noise(rng, long // 4, wide // 8, (1.0, 3.0, 9.0))
        coarse = cv2.resize(coarse, (wide, long), interpolation=cv2.INTER_LINEAR)
        wear = np.zeros(wide, np.float32)
        for lane in (-0.5, 0.5):
            for wheel in (-0.75, 0.75):  # the tyres polish two tracks a lane
                wear += np.exp(-(((d - lane * street.lane - wheel) / 0.3) ** 2))
            wear -= 0.6 * np.exp(-(((d - lane * street.lane) / 0.25) ** 2))
        grey = rng.uniform(84, 112)
        road = tint((grey, grey * 1.015, grey * 1.03), 0.8 * fine + 0.8 * coarse + 0.5 * wear, 0.06)
        ids = np.full(wide, ROAD, np.uint8)
        self._patches(rng, road, coarse)
        self._markings(rng, road, d, s, fine)

        slab = rng.uniform(84, 116)
        slabs = tint((slab, slab * 0.99, slab * 0.97), 0.5 * fine + coarse, 0.07)
        pitch = float(rng.choice([0.45, 0.6, 0.9]))
        if rng.random() < 0.65:
            slabs[:, (np.abs(d) % pitch) < 0.03] = slabs[:, (np.abs(d) % pitch) < 0.03] * 0.8
            slabs[(s % pitch) < 0.05] = slabs[(s % pitch) < 0.05] * 0.85
        grass = tint((86, 98, 62), 1.4 * fine + 1.2 * coarse, 0.13)
        for side in (-1, 1):
            out = side * d - street.kerb(side)
            stone = (out > 0) & (out < 0.14)
            kerb = np.repeat(rng.uniform(0.8, 1.15, long // 18 + 1), 18)[:long, None, None]
            gutter = (out > -0.12) & (out <= 0)
            road[:, gutter] = (road[:, gutter] * 0.66).astype(np.uint8)
            verge = (out >= 0.14) & (out < street.verge)
            beyond = out > street.verge + street.pavement + 0.3
            road[:, out > 0] = slabs[:, out > 0]
            road[:, stone] = np.clip(
                np.float32((122, 120, 116)) * kerb * (1 + 0.06 * fine[:, stone, None]), 0, 255
            )
            ids[out > 0] = PAVEMENT
            green = verge | (beyond if street.character != "centre" else False)
            road[:, green] = grass[:, green]
            ids[green] = TREE
        return road, np.broadcast_to(ids, road.shape[:2])

    def _patches(self, rng, road, coarse):
        long, wide = road.shape[:2]
        for _ in range(int(rng.integers(5, 14))):  # mended asphalt
            x, y = int(rng.integers(wide)), int(rng.integers(long))
            w, h = int(rng.uniform(0.4, 2.2) * _ACROSS), int(rng.uniform(1, 9) * _ALONG)
            gain = rng.uniform(0.78, 1.10)
            road[y : y + h, x : x + w] = np.minimum(road[y : y + h, x : x + w] * gain, 255)
        for _ in range(int(rng.integers(3, 8))):  # manhole covers
            x, y = int(wide / 2 + rng.uniform(-3, 3) * _ACROSS), int(rng.integers(40, long - 40))
            cv2.ellipse(road, (x, y), (13, 7), 0, 0, 360, (58, 58, 60), -1)
            cv2.ellipse(road, (x, y), (13, 7), 0, 0, 360, (84, 84, 84), 2)
        for _ in range(int(rng.integers(0, 4))):  # tarred cracks
            x, y = rng.uniform(0.3, 0.7) * wide, rng.uniform(0, long)
            points = np.cumsum(rng.normal((0, 12), (5, 6), (30, 2)), axis=0) + (x, y)
            cv2.polylines(road, [np.int32(points)], False, (70, 70, 72), 1)

    def _markings(self, rng, road, d, s, fine):
        street = self._street
        white = np.float32((205, 205, 200)) * rng.uniform(0.85, 1.08)
        worn = rng.uniform(0.10, 0.5)

        def line(centre, width, dash=None, colour=white, phase=0.0):
            columns = np.flatnonzero(np.abs(d - centre) < width / 2)
            rows = (
                np.arange(len(s))
                if dash is None
                else np.flatnonzero(((s + phase) % sum(dash)) < dash[0])
            )
            part = np.ix_(rows, columns)
            keep = np.clip(1.0 - worn * (0.6 + 0.5 * np.abs(fine[part])), 0, 1)[..., None]
            road[part] = road[part] * (1 - keep) + colour * keep

        line(0.0, 0.11, street.dash)
        for side in (-1, 1):
            edge = side * street.kerb(side)
            if street.yellow_lines[side]:
                for inset in (0.28, 0.50):
                    line(edge - side * inset, 0.08, colour=np.float32((176, 156, 84)))
            if street.parking[side]:
                line(edge - side * 2.1, 0.09, (1.0, 1.0))
        if street.cycle_lane:
            inner = -street.lane + 1.4
            red = (d > -street.lane + 0.1) & (d < inner)
            if rng.random() < 0.5:
                road[:, red] = np.minimum(road[:, red] * (1.15, 0.88, 0.84), 255)
            line(inner, 0.10, (4.0, 2.0))

    def paint(self, canvas, view, road):
        """Paint everything below the horizon."""
        first = max(int(np.floor(view.horizon)) + 1, 0)
        rows = np.arange(first, view.height)
        if not len(rows):
            return
        depth = view.focal * view.position[1] / np.maximum(rows + 0.5 - view.horizon, 0.3)
        along = np.concatenate([np.arange(-6, 40, 1.0), np.arange(40, 320, 5.0)]) + view.s
        centre = view.to_camera(road.place(along, 0.0))
        s = np.interp(depth, centre[:, 2], along)
        middle = np.interp(depth, centre[:, 2], centre[:, 0])
        turn = road.heading(s) - view.yaw
        # Along a row of pixels, both road coordinates change linearly.
        pixel = np.float32(np.arange(view.width) + 0.5 - view.middle)
        scale, sine, cosine = depth / view.focal, np.sin(turn), np.cos(turn)
        d_step, d_start = scale * cosine, _REACH - middle * cosine
        s_step, s_start = scale * sine, s % _LENGTH - middle * sine
        footprint = depth * depth / (view.focal * view.position[1]) * _ALONG
        level = np.digitize(footprint, [3.0, 12.0, 48.0])
        for k, (across, down) in enumerate(_LEVELS):
            band = np.flatnonzero(level == k)
            if not len(band):
                continue
            a, b = band[0], band[-1] + 1
            picture = self._levels[k]
            tall, wide = picture.shape[:2]

            def linear(step, start, pixels):
                step, start = (np.float32(v[a:b, None] * pixels) for v in (step, start))
                return step * pixel + (start - np.float32(0.5))

            map_x = linear(d_step, d_start, _ACROSS / across)
            np.clip(map_x, 0, wide - 1, out=map_x)
            map_y = linear(s_step, s_start, _ALONG / down)
            # Ids across a border mix into ids between: road, kerb (pavement), grass are 3, 4, 5.
            canvas.pixels[first + a : first + b] = cv2.remap(
                picture, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP
            )
        return first


def paint_shadows(canvas, view, first, polygons):
    """Darken the ground under world polygons: list of (points [N, 3], darkness 0..1)."""
    height = view.height - first
    if height < 4 or not polygons:
        return
    half = (max(view.width // 2, 1), max(height // 2, 1))
    mask = np.full((half[1], half[0]), 255, np.uint8)
    camera = view.to_camera(np.concatenate([points for points, _ in polygons]))
    scale = np.array([half[0] / view.width, half[1] / height])
    fixed = to_fixed((view.to_pixels(camera) - (0, first)) * scale)
    start = 0
    for points, darkness in polygons:
        end = start + len(points)
        if camera[start:end, 2].max() > 0.5:
            cv2.fillPoly(mask, [fixed[start:end]], int(255 * (1 - darkness)), cv2.LINE_8, SHIFT)
        start = end
    mask = cv2.blur(mask, (3, 3))
    mask = cv2.resize(mask, (view.width, height), interpolation=cv2.INTER_LINEAR)
    gains = cv2.cvtColor(mask, cv2.COLOR_GRAY2RGBA)  # alpha 255: ids stay
    ground = canvas.pixels[first:]
    canvas.pixels[first:] = cv2.multiply(ground, gains, scale=1 / 255.0)
