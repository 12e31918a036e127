"""How good the labels made from a tool are: compared, on rendered people, with those made from the truth.

Both sides are made in memory by the label's function with the same options. For `heads` and `schp` the truth is what
the renderer knows; `pifpaf`, `poses` and `partmaps` have no other truth than the form drawn from the true joints and
mask, so there the tool is measured and not the drawing. `keypoints`, `visible` and `exchanged` compare what the tool
itself says.

A measure is one file per label (base.Measure); side opens one of the two labels, pairs both of every label; comparison
runs a measure over all images, groups says which images are told of apart, table, pictures and plots show.
"""

from partreid.quality import exchanged, heads, keypoints, partmaps, pifpaf, poses, schp, visible
from partreid.quality.base import Measure

MEASURES: dict[str, Measure] = {
    name: Measure(module.compare, module.summary, module.details, module.score, module.SCORED, module.TITLES)
    for name, module in {
        "keypoints": keypoints,
        "visible": visible,
        "exchanged": exchanged,
        "heads": heads,
        "pifpaf": pifpaf,
        "schp": schp,
        "poses": poses,
        "partmaps": partmaps,
    }.items()
}
