"""What stands and moves along the street, made lazily in segments of the road."""

import numpy as np

from . import models
from .classes import FENCE
from .movers import Crosser, Leader, Rider, Vehicle, Walker, car_shadow
from .props import Props
from .things import Plant, Solid, Wall, building

SEGMENT = 40.0  # metres


class World:
    """The content of one drive; a segment is a function of the seed and its number only."""

    def __init__(self, seed, rng, road, street, light, rig, props=None):
        self._seed, self._road, self._street, self._light = seed, road, street, light
        self._rig = rig
        self._props = Props(rng, street, light) if props is None else props
        self._leader = None
        if rng.random() < 0.75:
            model, length = self._props.cars[rng.integers(len(self._props.cars))]
            self._leader = Leader(
                road, model, length, rig, rng.uniform(12, 34), rng.uniform(0, 6), -0.5 * street.lane
            )
        self._segments = {}

    def segment(self, number):
        """(things, movers) of a segment; kept, as the camera needs it again."""
        if number not in self._segments:
            if len(self._segments) > 64:
                self._segments.clear()
            rng = np.random.default_rng([*self._seed, 7, number + 1000])
            things = []
            for side in (-1, 1):
                self._side(rng, number * SEGMENT, side, things)
            self._segments[number] = (things, self._movers(rng, number * SEGMENT))
        return self._segments[number]

    def visible(self, view, time):
        """Things to paint, far to near, at a time in seconds."""
        chosen = []
        near, moving = self._numbers(view.s)
        for number in near:
            chosen += [t for t in self.segment(number)[0] if -14 < t.key - view.s < t.reach]
        for number in moving:
            for mover in self.segment(number)[1]:
                thing = mover.at(time, view.s - 5, view.s + 110)
                if thing is not None:
                    chosen.append(thing)
        if self._leader is not None:
            chosen.append(self._leader.at(time))
        chosen.sort(key=lambda thing: -thing.key)
        return chosen

    def _numbers(self, s):
        """The segments to be seen from metre s; those whose movers may be there."""
        first = int(np.floor(s / SEGMENT)) - 1
        return range(first, first + 6), range(first, first + 7)

    @staticmethod
    def _pick(rng, group):
        return group[rng.integers(len(group))]

    def _zone(self, rng, start, side):
        # Runs of 80 m share a zone, so a terrace or a park has some length.
        block = np.random.default_rng([*self._seed, 8, int(start // 80) + 1000, side + 1])
        names = list(self._street.zones)
        if rng.random() < 0.15:
            block = rng
        return str(block.choice(names, p=list(self._street.zones.values())))

    def _side(self, rng, start, side, things):
        street = self._street
        zone = self._zone(rng, start, side)
        line = street.front(side)
        getattr(self, "_" + zone)(rng, start, side, line, things)
        self._furniture(rng, start, side, things)
        self._parked(rng, start, side, things)

    # Zones: what stands behind the pavement.

    def _front(self, rng, styles, s0, s1, side, line, things, before=None):
        styles = [s for s in styles if s in self._props.fronts] or list(self._props.fronts)
        group = self._props.fronts[styles[rng.integers(len(styles))]]
        front, lit = group[rng.integers(len(group))]
        end = self._props.ends[rng.integers(len(self._props.ends))]
        made = building(
            self._road,
            s0,
            s1,
            side,
            line,
            front,
            lit[side],
            end,
            s1,
            before is None or before < front.height,
        )
        if self._light.sunny and side == self._light.sun_side:
            reach = min(front.height * 0.75, self._shadow_reach(side, line))
            made[0].shadow = (
                self._road.place(
                    [s0, s1, s1 + 2, s0 + 2],
                    [
                        side * (line + 3),
                        side * (line + 3),
                        side * (line - reach),
                        side * (line - reach),
                    ],
                ),
                0.5,
            )
        things += made
        return front.height

    def _shadow_reach(self, side, line):
        return line + 0.3 * self._street.lane

    def _terrace(self, rng, start, side, line, things):
        s = start
        gap = rng.random() < 0.25
        cut = rng.uniform(0.25, 0.75)
        widths = rng.uniform(4.5, 8.5, int(rng.integers(5, 8)))
        room = SEGMENT - (5.0 if gap else 0.0)
        widths *= room / widths.sum()
        before = None  # the height of the neighbour that hides this one's end
        hole = int(cut * len(widths)) if gap else -1
        for i, width in enumerate(widths):
            styles = (
                ("shop", "shop", "terrace")
                if self._street.character == "centre"
                else ("terrace", "terrace", "shop")
            )
            before = self._front(rng, styles, s, s + width, side, line, things, before)
            if rng.random() < 0.22:
                model = models.wall_sign(rng, -side)
                at, d = s + 0.5 * width, side * line
                things.append(Solid(at, model, self._road.place_rigid(at, d, model.points)))
            s += width
            if i == hole:
                self._boundary(rng, s, s + 5, side, line, things)
                self._tree(rng, s + 3, side * (line + 3.5), things)
                s += 5
                before = None

    def _houses(self, rng, start, side, line, things):
        setback = rng.uniform(2.5, 5.5)
        widths = rng.uniform(0.8, 1.2, 3)
        widths *= SEGMENT / widths.sum()
        s = start
        kind = rng.random()
        for width in widths:
            gap = rng.uniform(1.0, 3.5)
            self._front(
                rng,
                ("house", "house", "terrace"),
                s + gap / 2,
                s + width - gap / 2,
                side,
                line + setback,
                things,
            )
            self._boundary(rng, s, s + width, side, line, things, kind)
            if rng.random() < 0.6 * self._street.trees:
                self._tree(
                    rng,
                    s + rng.uniform(1, width - 1),
                    side * (line + rng.uniform(0.8, 2)),
                    things,
                    rng.uniform(0.25, 0.7),
                )
            s += width
        if rng.random() < 0.5 * self._street.trees:
            self._tree(
                rng, start + rng.uniform(0, SEGMENT), side * (line + setback + 9), things, 1.2
            )

    def _park(self, rng, start, side, line, things):
        kind = rng.random()
        for s in np.arange(start, start + SEGMENT, 8.0):
            self._boundary(rng, s, s + 8, side, line, things, kind)
        for _ in range(int(rng.integers(4, 8))):
            self._tree(
                rng, start + rng.uniform(0, SEGMENT), side * (line + rng.uniform(1, 4)), things
            )
        for _ in range(6):
            self._tree(
                rng,
                start + rng.uniform(0, SEGMENT),
                side * (line + rng.uniform(5, 12)),
                things,
                rng.uniform(0.6, 1.2),
            )
        for s in np.arange(start, start + SEGMENT, 10.0):  # a far hedge closes the view
            near = self._road.place(s, side * (line + 13))
            things.append(
                Wall(
                    s + 10,
                    near,
                    self._road.place(s + 10, side * (line + 13)),
                    rng.uniform(2.0, 4.0),
                    self._props.hedges[rng.integers(2)],
                )
            )

    def _modern(self, rng, start, side, line, things):
        widths = rng.uniform(0.8, 1.3, 3)
        widths *= (SEGMENT - 2.0) / widths.sum()
        s, setback = start, float(rng.choice([0.0, 1.5, 3.0]))
        for width in widths:
            self._front(
                rng, ("modern", "modern", "shop"), s, s + width, side, line + setback, things
            )
            s += width
        if setback > 1 and rng.random() < 0.6:
            for s in np.arange(start, start + SEGMENT, 8.0):
                self._boundary(rng, s, s + 8, side, line, things, 0.3)

    def _boundary(self, rng, s0, s1, side, line, things, kind=None):
        """A fence, wall or hedge along the far edge of the pavement."""
        kind = rng.random() if kind is None else kind
        near, far = self._road.place(s0, side * line), self._road.place(s1, side * line)
        if kind < 0.48:
            things.append(
                Wall(
                    s1 - 0.01,
                    near,
                    far,
                    rng.uniform(1.0, 1.5),
                    self._props.railings[int(kind * 100) % 2],
                    FENCE,
                )
            )
        elif kind < 0.66:
            things.append(
                Wall(
                    s1 - 0.01,
                    near,
                    far,
                    rng.uniform(1.3, 1.9),
                    self._props.boards[int(kind * 100) % 2],
                    FENCE,
                )
            )
        elif kind < 0.84:
            tall = rng.uniform(0.6, 1.2)
            things.append(Wall(s1, near, far, tall, self._props.walls[int(kind * 100) % 2]))
            if kind < 0.75:
                things.append(
                    Wall(
                        s1 - 0.01,
                        near,
                        far,
                        rng.uniform(0.5, 0.9),
                        self._props.railings[0],
                        FENCE,
                        base=tall,
                    )
                )
        else:
            things.append(
                Wall(
                    s1 - 0.01,
                    near,
                    far,
                    rng.uniform(1.0, 2.0),
                    self._props.hedges[int(kind * 100) % 2],
                )
            )

    def _tree(self, rng, s, d, things, size=None):
        size = rng.uniform(0.7, 1.2) if size is None else size
        leafy = rng.random() < self._street.leafy
        group = self._props.leafy if leafy else self._props.bare
        tall = rng.uniform(7.5, 10.5) * size
        shadow = None
        if self._light.sunny:
            side = self._light.sun_side
            blob = [
                (0.1, 0),
                (2.4, -2.5 * size),
                (1.6, -6 * size),
                (-1.4, -6 * size),
                (-1.6, -2.5 * size),
            ]
            shadow = (
                self._road.place([s + a for a, _ in blob], [d + side * b for _, b in blob]),
                0.4 if leafy else 0.25,
            )
        things.append(
            Plant(
                s,
                self._road.place(s, d),
                tall * rng.uniform(0.65, 0.95),
                tall,
                group[rng.integers(len(group))],
                shadow,
            )
        )

    # On the pavement and along the kerb.

    def _furniture(self, rng, start, side, things):
        street, road = self._street, self._road
        kerb = street.kerb(side)

        def stand(s, d, model):
            shadow = (
                road.place(
                    [s - 0.15, s + 0.15, s + 0.15, s - 0.15],
                    [d - 0.12, d - 0.12, d + 0.12, d + 0.12],
                ),
                0.5,
            )
            things.append(Solid(s, model, road.place_rigid(s, d, model.points), shadow))

        gap = street.lamp_gap
        offset = 0.5 * gap if side > 0 else 0.0
        for s in np.arange(np.ceil((start - offset) / gap) * gap + offset, start + SEGMENT, gap):
            if s >= start:
                stand(s, side * (kerb + 0.5), self._props.lamp_post(rng, -side))
        for _ in range(int(rng.poisson(1.7))):
            stand(
                start + rng.uniform(0, SEGMENT),
                side * (kerb + rng.uniform(0.4, 0.8)),
                self._props.sign_post(rng, -side),
            )
        if rng.random() < 0.35:
            for s in start + rng.uniform(0, 20) + np.arange(int(rng.integers(3, 9))) * 1.8:
                stand(s, side * (kerb + 0.45), models.bollard(rng))
        due = int(start // SEGMENT) % 4  # so that no class is missing for long
        if rng.random() < 0.2 or due == side + 1:  # a guard rail at the kerb
            s = start + rng.uniform(0, 20)
            for a in (s, s + 4, s + 8):
                things.append(
                    Wall(
                        a + 4,
                        road.place(a, side * (kerb + 0.3)),
                        road.place(a + 4, side * (kerb + 0.3)),
                        1.05,
                        self._props.railings[1],
                        FENCE,
                    )
                )
        if street.verge > 0.8 or rng.random() < 0.4 * street.trees:
            for _ in range(int(rng.poisson(1.6 * street.trees))):
                self._tree(rng, start + rng.uniform(0, SEGMENT), side * (kerb + 0.8), things)
        elif due == 1 - side:
            self._tree(rng, start + rng.uniform(0, SEGMENT), side * (kerb + 0.8), things)

    def _parked(self, rng, start, side, things):
        if not self._street.parking[side]:
            return
        s = start + rng.uniform(0, 3)
        d = side * (self._street.lane + 1.05)
        while s < start + SEGMENT - 4:
            if rng.random() < 0.62 * self._street.cars:
                model, length = self._props.cars[rng.integers(len(self._props.cars))]
                middle = s + length / 2
                world = self._road.place_rigid(
                    middle, d, model.points, backwards=(side > 0) ^ (rng.random() < 0.25)
                )
                things.append(
                    Solid(s + 0.3, model, world, car_shadow(self._road, middle, d, length))
                )
            s += rng.uniform(5.3, 7.5)

    def _movers(self, rng, start):
        street, road, rig = self._street, self._road, self._rig
        movers = []

        def meeting(s):
            return s / rig.speed  # about when the camera is there

        for side in (-1, 1):
            for _ in range(max(int(rng.poisson(1.9 * street.people)), 1)):
                s = start + rng.uniform(0, SEGMENT)
                d = side * (
                    street.kerb(side)
                    + street.verge
                    + rng.uniform(0.5, max(street.pavement - 0.4, 0.8))
                )
                speed = float(rng.choice([-1, 1])) * rng.uniform(0.9, 1.6)
                if rng.random() < 0.2:
                    speed *= 0.02
                company = 2 if rng.random() < 0.3 else 1
                for i in range(company):
                    movers.append(
                        Walker(
                            road,
                            self._pick(rng, self._props.pedestrians),
                            s + 0.15 * i,
                            d + 0.55 * side * i,
                            speed,
                            meeting(s),
                            rng.uniform(0, 6),
                        )
                    )
        if rng.random() < 0.10 * street.people:  # someone crosses, well ahead of the camera
            s = start + rng.uniform(0, SEGMENT)
            movers.append(
                Crosser(
                    road,
                    self._pick(rng, self._props.pedestrians),
                    s,
                    -0.5,
                    1.3,
                    meeting(s) - rng.uniform(3, 4.5),
                    0.0,
                )
            )
        left = street.lane - (0.45 if not street.parking[-1] else 0.25)
        for _ in range(int(rng.poisson(0.28 * street.bicycles))):
            s = start + rng.uniform(0, SEGMENT)
            movers.append(
                Rider(
                    road,
                    self._pick(rng, self._props.bicyclists),
                    s,
                    -left,
                    rng.uniform(3.5, 5.2),
                    meeting(s),
                    rng.uniform(0, 6),
                )
            )
        for _ in range(max(int(rng.poisson(0.45 * street.bicycles)), int(start // SEGMENT) % 2)):
            s = start + rng.uniform(0, SEGMENT)
            movers.append(
                Rider(
                    road,
                    self._pick(rng, self._props.bicyclists),
                    s,
                    left,
                    -rng.uniform(3.5, 5.2),
                    meeting(s),
                    rng.uniform(0, 6),
                )
            )
        for _ in range(max(int(rng.poisson(0.8 * street.traffic)), 1)):
            s = start + rng.uniform(0, SEGMENT)
            model, length = self._props.cars[rng.integers(len(self._props.cars))]
            movers.append(
                Vehicle(road, model, length, s, 0.52 * street.lane, -rng.uniform(6, 10), meeting(s))
            )
        return movers
