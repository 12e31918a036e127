"""Quality of label `poses`: whether the pose clusters are those that the true keypoints give.

The clusters of both sides are found for themselves and numbered by the same rule (partreid.labels.poses). `same` is the
share of images with the same number on both sides, which a method feels; the adjusted Rand index (Hubert and Arabie,
"Comparing partitions", 1985) compares the groups whatever their numbers: 1 the same, 0 as by chance. Clusters are
nearly views, so among images of one view, most of which are in one cluster, the index is low and says little.
"""

import numpy as np

from partreid.quality import keypoints
from partreid.quality.base import Arrays

TITLES = {"same": "images in the same cluster", "rand": "adjusted Rand index"}
SCORED = keypoints.SCORED


def compare(tool: Arrays, truth: Arrays) -> dict[str, np.ndarray]:
    """keypoints (n, 17, 3), cluster (n,), status (n,) of both -> `cluster` int (n, 2): tool, truth, and `error`."""
    return {"cluster": np.stack([tool["cluster"], truth["cluster"]], -1), **keypoints.compare(tool, truth)}


def summary(kept: Arrays) -> dict[str, float]:
    """See TITLES. An image on which the tool found nobody counts with the cluster that the label gives it."""
    from sklearn.metrics import adjusted_rand_score  # here: it takes a second, and every report knows all measures

    ours, true = kept["cluster"].T
    if not len(true):
        return {name: float("nan") for name in TITLES}
    return {"same": float((ours == true).mean()), "rand": float(adjusted_rand_score(true, ours))}


def details(kept: Arrays) -> dict[str, dict[str, float]]:
    """Per true cluster, its images and the share of them that the tool's label puts there too."""
    ours, true = kept["cluster"].T
    found = {}
    for number in np.unique(true).tolist():
        here = ours[true == number]
        found[f"cluster {number}"] = {"images": float(len(here)), "same": float((here == number).mean())}
    return found


score = keypoints.score
