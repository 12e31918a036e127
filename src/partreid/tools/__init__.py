"""Tools look at each image once and write what they see to data/tools/<tool>/<dataset>.npz; label stages read that.

A tool is one file with `build(images, *, options) -> (header, work)`: what it is to look at (partreid.tools.base) and,
as keyword-only arguments, the keys of its block in params.yaml; header of storage.cache, work of storage.pieces.
Output members; those after `score` as far as the tool gives them:

    status     uint8 (n,)             0 ok, 1 missing (nobody found), 2 failed (image or imported file damaged)
    score      float32 (n,)           probability that a person is there
    keypoints  float32 (n, 17, 3)     COCO-17 (partreid.body.skeleton): x, y in pixels of the original image, score 0..1
    person     uint8 (n, 128, 64)     255 times the person's probability, over the whole image
    parsing    uint8 (n, 128, 64)     classes of Pascal-Person-Part (body.parsing), over the whole image
    head       float32 (n, 4)         head box x0, y0, x1, y1 in pixels of the original image; NaN when no head is seen
    fields     uint8 (n, 36, 33, 17)  255 times PifPaf's confidences (body.skeleton.FIELDS), over the whole image
    maps       float16 (n, C, 20, 10) OpenPose's limb, joint and, with C = 185, inner maps, over the whole image

and whatever else the tool knows. Coordinates: x right, y down, origin at the top-left corner of the top-left pixel.
Rows that are not ok are all zeros, except `score` and, where an image could be read, `maps`.
"""

from partreid.tools import (
    alphapose,
    blazepose,
    consensus,
    densepose,
    densepose_files,
    movenet,
    openpifpaf,
    openpifpaf_files,
    openpose,
    openpose_files,
    schp,
    schp_files,
    truth,
)
from partreid.tools.base import Tool

DEVICES = {"device": ("auto", "cpu", "cuda")}  # of programs of their own

TOOLS: dict[str, Tool] = {
    # the embedded ones, and what the renderer knows
    "blazepose": Tool(blazepose.build, blazepose.GIVES, choices={"looks": (1, 3)}),
    "movenet": Tool(movenet.build, movenet.GIVES),
    "consensus": Tool(consensus.build, consensus.GIVES),
    "truth": Tool(truth.build, truth.GIVES),
    # the papers' own tools: our modules with published weights, and isolated programs
    "schp": Tool(schp.build, schp.GIVES, processes=1, choices={"weights": schp.NETWORKS}),
    "openpose": Tool(openpose.build, openpose.GIVES, processes=1),
    "openpifpaf": Tool(openpifpaf.build, openpifpaf.GIVES, choices=DEVICES),
    "densepose": Tool(densepose.build, densepose.GIVES, choices=DEVICES),
    "alphapose": Tool(alphapose.build, alphapose.GIVES, processes=1),
    # what these tools wrote elsewhere
    "openpifpaf_files": Tool(openpifpaf_files.build, openpifpaf_files.GIVES),
    "densepose_files": Tool(densepose_files.build, densepose_files.GIVES),
    "schp_files": Tool(schp_files.build, schp_files.GIVES, choices={"classes": schp_files.CLASSES}),
    "openpose_files": Tool(openpose_files.build, openpose_files.GIVES, choices={"order": openpose_files.ORDERS}),
}
