"""The options of `shuffleseg evaluate` that change or move the picture, and what they ask for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UserError

if TYPE_CHECKING:
    from ..evaluation.corruptions import Kind

_DEFAULT_SEVERITIES = "1,3,5"


def add_robustness_options(parser) -> None:
    group = parser.add_argument_group("under changes of the picture")
    group.add_argument(
        "--corruptions",
        nargs="?",
        const="all",
        metavar="KIND,…",
        help="also score under changes that leave the labels in place: all, or some of camera, "
        "hendrycks, unseen or of the kinds in docs/evaluation.md",
    )
    group.add_argument(
        "--severities",
        default=_DEFAULT_SEVERITIES,
        metavar="N,N,…",
        help="of the graded kinds, 1 to 5 (%(default)s)",
    )
    group.add_argument("--seed", type=int, default=0, help="of the changes' noise (%(default)s)")
    group.add_argument(
        "--corruptions-picture",
        metavar="FILE.png",
        help="draw the middle frame under each change, with its mask",
    )
    group.add_argument(
        "--stability",
        action="store_true",
        help="also count the pixels that change their class when the picture moves by 1 to 4 "
        "pixels, and from frame to frame of the procedural drive",
    )


@dataclass(frozen=True)
class RobustnessOptions:
    """What the options ask for.

    Attributes:
        kinds: of change; none where no score under changes is wanted.
        severities: of the graded ones.
        seed: of the noise.
        picture: file to draw into, or None.
        stability: whether stability is wanted.
    """

    kinds: tuple[Kind, ...]
    severities: tuple[int, ...]
    seed: int
    picture: Path | None
    stability: bool

    @classmethod
    def from_arguments(cls, args) -> RobustnessOptions:
        """Raises UserError where an option is wrong."""
        from ..evaluation.corruptions import choose_kinds
        from ..figure_file import check_png_name

        if args.corruptions_picture and args.corruptions is None:
            raise UserError("--corruptions-picture needs --corruptions")
        if args.seed < 0:
            raise UserError(f"--seed {args.seed}: give 0 or more")
        picture = args.corruptions_picture
        return cls(
            () if args.corruptions is None else tuple(choose_kinds(args.corruptions)),
            _severities(args.severities),
            args.seed,
            check_png_name("--corruptions-picture", picture) if picture else None,
            args.stability,
        )

    def __bool__(self) -> bool:
        return bool(self.kinds) or self.stability

    def num_steps(self, num_frames: int) -> int:
        """Labellings that `measure` takes at most."""
        from ..evaluation.corruption_scores import num_passes
        from ..evaluation.stability import DRIVE_FRAMES, SHIFT_PASSES

        steps = num_frames * num_passes(self.kinds, self.severities)
        return steps + (num_frames * SHIFT_PASSES + DRIVE_FRAMES if self.stability else 0)

    def measure(self, predictor, dataset, indices, clean_miou: float, step) -> dict:
        """Parts of evaluate's report: "corruptions", "stability", each where it is wanted.

        Args:
            predictor: a `Predictor` of the data set's classes.
            dataset: has labels.
            indices: of its frames to use.
            clean_miou: their score as they are, 0 to 1.
            step: called after each labelling.
        """
        from ..evaluation.corruption_scores import score_corruptions
        from ..evaluation.file_ids import to_file_ids
        from ..evaluation.stability import can_drive, drive_stability, shift_stability

        found = {}
        if self.picture:  # first: whether it can be written shows before hours of scoring
            self._draw(predictor, dataset, indices[len(indices) // 2])
        if self.kinds:
            found["corruptions"] = score_corruptions(
                lambda image: to_file_ids(dataset, predictor.predict(image)),
                dataset, indices, self.kinds, self.severities, self.seed, clean_miou, step,
            )  # fmt: skip
        if self.stability:
            images = map(dataset.read_image, indices)
            found["stability"] = {
                "shift": shift_stability(predictor.predict, images, step),
                "drive": drive_stability(predictor.predict, step)
                if can_drive(dataset.label_map.names)
                else None,
            }
        return found

    def _draw(self, predictor, dataset, index: int) -> None:
        from ..evaluation.corruption_picture import draw_corruptions

        image = dataset.read_image(index)
        severity = self.severities[len(self.severities) // 2]
        cells = [("as it is", image)]
        for kind in self.kinds:
            grade = severity if kind.graded else 1
            name = f"{kind.name}, {grade}" if kind.graded else kind.name
            cells.append((name, kind(image, grade, self.seed, index)))
        draw_corruptions(
            [(name, changed, predictor.predict(changed)) for name, changed in cells],
            dataset.label_map,
            f"{dataset.name}: {dataset.sample_name(index)}, {predictor.source.name}",
            self.picture,
        )


def robustness_tables(report: dict) -> list[str]:
    """Texts of the parts that evaluate's report has."""
    from ..evaluation.corruption_scores import corruption_table
    from ..evaluation.stability import stability_table

    makers = {"corruptions": corruption_table, "stability": stability_table}
    return [make(report[key]) for key, make in makers.items() if key in report]


def _severities(text: str) -> tuple[int, ...]:
    """ "1,3,5" → (1, 3, 5)."""
    from ..evaluation.corruptions import SEVERITIES

    try:
        severities = tuple(int(part) for part in text.split(","))
    except ValueError:
        severities = ()
    if not severities or len(set(severities)) < len(severities) or set(severities) - {*SEVERITIES}:
        raise UserError(
            f"--severities {text}: give different numbers of 1 to 5, as {_DEFAULT_SEVERITIES}"
        )
    return tuple(sorted(severities))
