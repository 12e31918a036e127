"""The fixed colours of body parts. Hues of Okabe and Ito (2008), which colour-blind people tell apart."""

from collections.abc import Mapping

Colour = tuple[int, int, int]  # RGB, 0..255
Legend = Mapping[str, Colour]  # what a colour stands for

PART_COLOURS: dict[str, Colour] = {
    "head": (240, 228, 66),
    "upper": (86, 180, 233),
    "lower": (230, 159, 0),
    "arms": (86, 180, 233),
    "left_arm": (86, 180, 233),
    "right_arm": (0, 114, 178),
    "left_upper_arm": (86, 180, 233),
    "right_upper_arm": (0, 114, 178),
    "left_forearm": (190, 225, 250),
    "right_forearm": (70, 50, 150),
    "upper_arms": (86, 180, 233),
    "lower_arms": (0, 114, 178),
    "torso": (213, 94, 0),
    "upper_torso": (213, 94, 0),
    "lower_torso": (230, 159, 0),
    "legs": (0, 158, 115),
    "left_leg": (0, 158, 115),
    "right_leg": (0, 90, 60),
    "upper_legs": (0, 158, 115),
    "lower_legs": (0, 90, 60),
    "feet": (204, 121, 167),
    "left_foot": (204, 121, 167),
    "right_foot": (110, 40, 100),
}
"""Part name -> colour, the same in every grouping and parsing. Left and right of one limb, or its upper and lower half
where sides are not told apart, differ in lightness."""

NUMBER_COLOURS: tuple[Colour, ...] = (
    (240, 228, 66), (86, 180, 233), (213, 94, 0), (230, 159, 0), (0, 158, 115), (204, 121, 167), (0, 114, 178),
)  # fmt: skip
"""Of parts that have numbers in place of names, 1 first: parts that a network found by itself, from top to bottom."""

SIDE_COLOURS: dict[str, Colour] = {"left": (255, 165, 0), "right": (0, 130, 220), "middle": (235, 235, 235)}
"""The person's own left and right, and what belongs to neither."""


def side(*names: str) -> str:
    """The side that a joint, or a limb between two, is on: left or right if one of them is and none on the other."""
    sides = {name.partition("_")[0] for name in names} & {"left", "right"}
    return sides.pop() if len(sides) == 1 else "middle"
