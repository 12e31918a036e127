"""The same photos by torch and by graphs, one thread each, to be timed against each other."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from partreid.export import checking, graph
from partreid.methods.base import Method

AT_ONCE = 16  # photos


def alternatives(
    method: Method, graphs: Mapping[str, Path], example: Sequence[Tensor]
) -> dict[str, Callable[[], object]]:
    """What embeds AT_ONCE photos of example (as graph.pixels_of gives them), by name: torch, and each of the graphs.

    Torch's network and photos have their channels last in memory, which suits its convolutions, as in the pipeline.
    """
    photos = [each[:AT_ONCE] for each in example]
    network = graph.Network(method.eval()).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    images, *labels = (
        each.contiguous(memory_format=torch.channels_last) if each.dim() == 4 else each for each in photos
    )

    def by_torch() -> object:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with torch.inference_mode():
                return network(images, labels)
        finally:
            torch.set_num_threads(threads)

    opened = {name: checking.session(path, threads=1) for name, path in graphs.items()}
    return {"torch": by_torch, **{name: partial(graph.embed, session, photos) for name, session in opened.items()}}
