"""Label stages turn a tool's output (partreid.tools) into what a method learns from: data/labels/<label>/<dataset>.*.

A label is one file with `build(native, table, *, options) -> (header, work)`: the opened tool output, the image table,
and, as keyword-only arguments, the keys of its block in params.yaml; the header of storage.cache and the work of
storage.pieces, whose arrays hold the tool's `status` and `score` beside the label's own members.
Its picture for the contact sheet is one function in drawing.label_views.
"""

from partreid.labels import heads, partmaps, pifpaf, poses, schp
from partreid.labels.base import Label

LABELS: dict[str, Label] = {
    "heads": Label(heads.build, ".parquet", needs=(("head",), ("keypoints", "person")), nobody=heads.nobody),
    "pifpaf": Label(pifpaf.build, ".npz", needs=(("fields",), ("keypoints", "person"))),
    "schp": Label(schp.build, ".npz", needs=(("parsing",), ("keypoints",)), beside=("person",)),
    "poses": Label(poses.build, ".parquet", needs=(("keypoints",),), nobody=poses.nobody),
    "partmaps": Label(partmaps.build, ".npz", needs=(("maps",), ("keypoints",))),
}
