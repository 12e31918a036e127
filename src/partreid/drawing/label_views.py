"""Pictures of labels, in fixed colours. All pictures are uint8 RGB (H, W, 3).

colours says what stands for which part, label_marks draws over images, label_panels has a function per label; VIEWS
lists them.
"""

from collections.abc import Callable
from dataclasses import dataclass

from partreid.body.parsing import PARSING
from partreid.drawing import label_panels
from partreid.drawing.colours import NUMBER_COLOURS, PART_COLOURS, SIDE_COLOURS, Legend
from partreid.labels import grouping


@dataclass(frozen=True)
class View:
    """How a label is looked at: an entry of VIEWS."""

    members: tuple[str, ...]  # of its cache that the pictures need
    draw: Callable[..., label_panels.Pictures]  # draw(image, values of the members, header=..., parts=...)
    main: str  # which of its pictures stands for the label where there is room for one
    legend: Callable[[int | str], Legend]  # of a grouping into parts, which only pifpaf has
    note: str = ""  # what the colours of `main` do not say by themselves
    others: str = ""  # the same of the other pictures
    missing: str = "nobody found"  # what status `missing` means
    says: Callable[[label_panels.Values], tuple[str, ...]] = lambda _: ()  # what is better said in words than drawn

    @property
    def notes(self) -> str:
        """Of all pictures."""
        return "; ".join(filter(None, (self.others, self.note)))


def _parts(parts: int | str) -> Legend:
    return {name.replace("_", " "): PART_COLOURS[name] for name in grouping.names(parts)}


def _head(_: int | str) -> Legend:
    return {"head": PART_COLOURS["head"]}


def _parsing(_: int | str) -> Legend:
    return {name.replace("_", " "): PART_COLOURS[name] for name in PARSING[1:]}


def _sides(_: int | str) -> Legend:
    return {f"the person's {name}" if name != "middle" else name: colour for name, colour in SIDE_COLOURS.items()}


def _numbers(_: int | str) -> Legend:
    return {f"part {number}": colour for number, colour in enumerate(NUMBER_COLOURS[:6], 1)}


_HEAT = "dark blue is 0, yellow is 1"

VIEWS: dict[str, View] = {
    "heads": View(("x0", "y0", "x1", "y1"), label_panels.heads, "box", _head, missing="no head found"),
    "pifpaf": View(
        ("fields",), label_panels.pifpaf, "parts", _parts, others=f"joints and limbs: the strongest field; {_HEAT}"
    ),
    "schp": View(
        ("parsing", "person"), label_panels.schp, "parsing", _parsing, others=f"person: its probability; {_HEAT}"
    ),
    "poses": View(
        ("keypoints", "cluster"),
        label_panels.poses,
        "skeleton",
        _sides,
        "grey dots: joints below the label's min_score; cluster: the centre of the image's pose cluster",
        says=label_panels.cluster,
    ),
    "partmaps": View(
        ("maps",),
        label_panels.partmaps,
        "directions",
        _sides,
        note="directions: each cell's strongest limb vector, a dot at its end",
        others=f"joints, limbs: the strongest; {_HEAT}",
    ),
    "pseudo_parts": View(
        ("maps",),
        label_panels.pseudo_parts,
        "parts",
        _numbers,
        "clusters of the network's features, numbered from top to bottom; score: share of the image that is no "
        "background",
        missing="not a training image",
    ),
}
