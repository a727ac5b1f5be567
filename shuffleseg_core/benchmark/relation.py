"""How a system stands to one of ours: time against time and score against score, like with like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

#: Times this close to each other count as the same: runs differ by as much.
SAME_TIME = 0.03
#: Points of mIoU.
SAME_SCORE = 0.05

_VERDICTS = {
    # (faster, better): 1 yes, -1 no, 0 the same
    (1, 1): "ahead of ours",
    (1, 0): "ahead of ours",
    (0, 1): "ahead of ours",
    (-1, -1): "behind ours",
    (-1, 0): "behind ours",
    (0, -1): "behind ours",
    (1, -1): "faster, worse",
    (-1, 1): "slower, better",
    (0, 0): "the same",
}


@dataclass(frozen=True)
class Score:
    """mIoU in %, and where: `basis` is what two scores need to have in common to be compared."""

    basis: str
    miou: float
    size: str | None = None


@dataclass(frozen=True)
class Comparison:
    """Two scores on the same basis.

    Attributes:
        basis: of both.
        points: of mIoU that the other system has more than ours.
        size, our_size: of the networks' inputs, None where not said.
        verdicts: form → what its time and the scores together say.
    """

    basis: str
    points: float
    size: str | None
    our_size: str | None
    verdicts: Mapping[str, str]


@dataclass(frozen=True)
class Relation:
    """One system against one of ours.

    Attributes:
        speed: form → how many times as fast it is as ours in that form.
        comparisons: one for every basis on which both have scores.
    """

    speed: Mapping[str, float]
    comparisons: tuple[Comparison, ...]

    def text(self) -> str:
        """What a table's cell says."""
        parts = [_speed_text(self.speed)]
        for found in self.comparisons:
            sizes = _sizes_text(found.size, found.our_size)
            verdict = _verdict_text(found.verdicts)
            parts.append(f"{found.basis}{sizes}: {found.points:+.1f} points, {verdict}")
        if not self.comparisons:
            parts.append("no score on common ground")
        return "; ".join(parts)

    def to_dict(self) -> dict:
        return {**asdict(self), "text": self.text()}


def relate(
    ms: Mapping[str, float],
    our_ms: Mapping[str, float],
    scores: tuple[Score, ...],
    our_scores: tuple[Score, ...],
) -> Relation:
    """Compare a system with one of ours.

    Args:
        ms: form → its time.
        our_ms: the same of ours.
        scores: of several on a basis, that at the size of ours counts, else the best.
        our_scores: at most one on a basis.
    """
    speed = {form: our_ms[form] / time for form, time in ms.items()}
    comparisons = []
    for ours in our_scores:
        theirs = [score for score in scores if score.basis == ours.basis]
        if theirs:
            # Two sizes that nobody tells are not the same one.
            chosen = max(theirs, key=lambda s: (s.size is not None and s.size == ours.size, s.miou))
            points = chosen.miou - ours.miou
            better = _sign(points, SAME_SCORE)
            verdicts = {
                form: _VERDICTS[_sign(times - 1, SAME_TIME), better]
                for form, times in speed.items()
            }
            comparisons.append(Comparison(ours.basis, points, chosen.size, ours.size, verdicts))
    return Relation(speed, tuple(comparisons))


def _sign(difference: float, same: float) -> int:
    return 0 if abs(difference) <= same else 1 if difference > 0 else -1


def _speed_text(speed: Mapping[str, float]) -> str:
    first, *others = speed.items()
    rest = "".join(f" ({form}: {_times(times)})" for form, times in others)
    return f"{_times(first[1])}{rest}"


def _times(speed: float) -> str:
    sign = _sign(speed - 1, SAME_TIME)
    if sign == 0:
        return "as fast"
    times = max(speed, 1 / speed)
    text = f"{times:.2f}" if times < 1.1 else f"{times:.1f}"
    return f"{text} × as fast" if sign > 0 else f"{text} × slower"


def _verdict_text(verdicts: Mapping[str, str]) -> str:
    if len(set(verdicts.values())) == 1:
        return f"**{next(iter(verdicts.values()))}**"
    return ", ".join(f"{form} **{verdict}**" for form, verdict in verdicts.items())


def _sizes_text(theirs: str | None, ours: str | None) -> str:
    if theirs == ours:
        return f" ({ours})" if ours else ""
    return f" ({theirs or 'size not said'}; ours: {ours or 'not said'})"
