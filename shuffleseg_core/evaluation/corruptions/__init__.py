"""Changes of the picture that leave its labels in place: what a camera and the weather do."""

from .kinds import CAMERA, GROUPS, HENDRYCKS, KINDS, SEVERITIES, UNSEEN, Kind, choose_kinds

__all__ = [
    "CAMERA",
    "GROUPS",
    "HENDRYCKS",
    "KINDS",
    "SEVERITIES",
    "UNSEEN",
    "Kind",
    "choose_kinds",
]
