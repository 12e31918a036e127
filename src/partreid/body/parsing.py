"""The seven classes of Pascal-Person-Part, the common form of every parsing in partreid.

Chen et al., "Detect What You Can: Detecting and Representing Objects using Holistic Models and Body Parts", CVPR 2014.
They do not tell left from right, so a mirrored image has the same classes.
"""

PARSING = ("background", "head", "torso", "upper_arms", "lower_arms", "upper_legs", "lower_legs")
"""Class number -> name. Feet belong to the lower legs, hands to the lower arms, the neck to the head or the torso."""
