"""Torch and graphs are timed on the same photos, by one thread each."""

import pytest
import torch

import small_networks
from export.test_checking import Session
from partreid.export import checking, graph, speed


@pytest.mark.parametrize("name", ["bot", "pah"])  # without and with labels
def test_the_same_photos_by_one_thread_each(name, monkeypatch):
    of, own, seen = small_networks.trained(name), {}, []
    embed = of.method.embed

    def noticed(inputs):
        seen.append((torch.get_num_threads(), inputs.images.is_contiguous(memory_format=torch.channels_last)))
        return embed(inputs)

    def session(path, threads):
        own[path] = threads
        return Session(of, lambda *answer: answer)

    of.method.embed = noticed
    monkeypatch.setattr(checking, "session", session)
    monkeypatch.setattr(speed, "AT_ONCE", 3)
    photos = graph.pixels_of(small_networks.photos(of, 5))
    runs = speed.alternatives(of.method, {"float32": "a", "int8": "b"}, photos)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        answers = {name: run() for name, run in runs.items()}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert list(answers) == ["torch", "float32", "int8"]
    assert own == {"a": 1, "b": 1}
    assert seen[0] == (1, True)
    for features, visibility in answers.values():
        torch.testing.assert_close(features, answers["torch"][0], rtol=1e-4, atol=1e-4)
        assert len(features) == len(visibility) == 3
