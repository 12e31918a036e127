"""A graph that answers otherwise than the network is caught, whatever it is that differs."""

import pytest
import torch

import small_networks
from partreid.errors import UserError
from partreid.evaluation.distances import DISTANCES, vectors
from partreid.export import checking, graph

N, P, D = 12, 3, 8


def embedded(seed=0):
    """Features and visibility of N photos; everybody shows the first part, and nobody all."""
    random = torch.Generator().manual_seed(seed)
    seen = (torch.rand(N, P, generator=random) > 0.4).float()
    seen[:, 0], seen[:, 2] = 1, seen[:, 2] * (1 - seen[:, 1])
    return torch.randn(N, P, D, generator=random), seen


def changed(features, seen, what):
    features, seen = features.clone(), seen.clone()
    match what:
        case "rounding":
            features *= 1 + 1e-6 * torch.randn(features.shape, generator=torch.Generator().manual_seed(1))
        case "one part of one photo":
            features[4, 1] = features[4, 1].flip(0)
        case "the first photo's, for all":
            features = features[:1].expand_as(features)
        case "mirrored":
            features = features.flip(2)
        case "photos in another order":
            features, seen = features.roll(1, 0), seen.roll(1, 0)
        case "parts in another order":
            features, seen = features.roll(1, 1), seen.roll(1, 1)
        case "longer":
            features *= 1.01
        case "one not a number":
            features[7, 2, 3] = torch.nan
        case "infinite":
            features[0, 0, 0] = torch.inf
        case "zeros":
            features *= 0
        case "one visible part too many":
            seen[3, 1] = 1 - seen[3, 1]
        case "a part too few":
            features, seen = features[:, 1:], seen[:, 1:]
    return features, seen


WRONG = (
    "one part of one photo", "the first photo's, for all", "mirrored", "photos in another order",
    "parts in another order", "longer", "one not a number", "infinite", "zeros", "one visible part too many",
    "a part too few",
)  # fmt: skip


@pytest.mark.parametrize("name", DISTANCES)
def test_rounding_is_none_and_all_else_is_a_difference(name):
    right = embedded()
    found = checking.compared(right, changed(*right, "rounding"), name)
    assert found.good(), found
    assert found.distance < 1e-5
    for what in WRONG:
        found = checking.compared(right, changed(*right, what), name)
        assert not found.good(), (what, found)


@pytest.mark.parametrize("name", DISTANCES)
def test_photos_that_the_network_hardly_tells_apart_are_told_apart_all_the_same(name):
    """An untrained network's vectors all point nearly one way: their cosines say nothing of a frozen batch."""
    random, seen = embedded()
    right = torch.ones(N, P, D) + 2e-3 * random, seen
    frozen = changed(*right, "the first photo's, for all")
    found = checking.compared(right, frozen, name)
    assert found.cosine > checking.LEAST
    assert not found.good(), found
    assert found.distance > 0.5
    for scale in (1e-3, 1, 1e3):
        assert checking.apart(scale * right[0])
        assert not checking.apart(scale * (torch.ones(N, P, D) + 1e-5 * random))


def test_a_difference_of_each_kind_is_seen_by_its_own_figure():
    right = embedded()
    same = checking.compared(right, right, "parts")
    assert same == checking.Agreement(pytest.approx(1), 0, True, 0, 1, 0)
    assert checking.compared(right, changed(*right, "one part of one photo"), "parts").cosine < 0.9
    assert checking.compared(right, changed(*right, "zeros"), "parts").cosine == 0
    hollow = right[0].clone(), right[1]
    hollow[0][4, 1] = 0  # by both
    assert checking.compared(hollow, hollow, "parts").cosine == pytest.approx(1)
    lengths = right[0].norm(dim=2)
    longer = 0.01 * float(lengths.max() / lengths.mean())
    assert checking.compared(right, changed(*right, "longer"), "cosine").length == pytest.approx(longer, rel=1e-3)
    assert not checking.compared(right, changed(*right, "one visible part too many"), "cosine").visibility
    assert checking.compared(right, changed(*right, "mirrored"), "cosine").distance < 1e-12  # angles stay as they are
    assert checking.compared(right, changed(*right, "longer"), "euclidean").distance == pytest.approx(0.01, rel=1e-3)


def test_photos_that_share_no_part_hide_no_difference_of_others():
    features, seen = embedded()[0][:4, :2], torch.tensor([[1.0, 0], [0, 1], [1, 1], [1, 0]])
    same = checking.compared((features, seen), (features, seen), "parts")
    assert (same.distance, same.ranks, same.swapped) == (0, 1, 0)
    longer = checking.compared((features, seen), (1.01 * features, seen), "parts")
    assert longer.distance == pytest.approx(0.01, rel=1e-3)
    other = checking.compared((features, seen), (features.flip(0), seen), "parts")
    assert 0.1 < other.distance < torch.inf
    assert 0 < other.swapped < torch.inf


def on_a_line(*places):
    """Photos of one number each."""
    return torch.tensor(places, dtype=torch.float64)[:, None, None], torch.ones(len(places), 1)


@pytest.mark.parametrize(("gap", "good"), [(5e-5, True), (5e-4, False)])
def test_only_photos_that_are_as_good_as_equally_far_may_change_places(gap, good):
    """Seen from 0, the photo at 0.7 and the one at 0.7 + gap; the graph has them the other way round."""
    right = on_a_line(0.0, 0.7, 0.7 + gap, 1.0)
    theirs = on_a_line(0.0, 0.7 + gap, 0.7, 1.0)
    found = checking.compared(right, theirs, "euclidean")
    assert found.ranks < 1
    assert found.swapped == pytest.approx(gap, rel=0.01)
    assert (found.swapped <= checking.TIE) == good
    assert found.good() == good


def test_ranks_are_those_of_a_slow_loop():
    right, wrong = embedded(0), embedded(1)
    tables = [DISTANCES["euclidean"](each, each) for each in (vectors(*right), vectors(*wrong))]
    same, worst = 0, 0.0
    for ours, theirs in zip(*(table.tolist() for table in tables), strict=True):
        wanted = sorted(range(N), key=ours.__getitem__)
        found = sorted(range(N), key=theirs.__getitem__)
        same += sum(a == b for a, b in zip(wanted, found, strict=True))
        worst = max(worst, *(abs(ours[a] - ours[b]) for a, b in zip(wanted, found, strict=True)))
    found = checking.compared(right, wrong, "euclidean")
    assert found.ranks == pytest.approx(same / N**2)
    assert found.swapped == pytest.approx(worst / float(tables[0].max()), rel=1e-4)


class Session:
    """Stands for onnxruntime: answers as the network does, but for a change of every batch."""

    def __init__(self, of, change):
        self.network, self.change = graph.Network(of.method), change

    def get_inputs(self):
        return [type("Input", (), {"name": name}) for name in self.network.names()]

    def run(self, _, feed):
        images, *labels = (torch.from_numpy(value) for value in feed.values())
        with torch.inference_mode():
            features, visibility = self.network(images, labels)
        return [each.numpy() for each in self.change(features.clone(), visibility.clone())]


@pytest.fixture
def bot():
    return small_networks.trained("bot")


@pytest.mark.parametrize(
    ("change", "good"),
    [
        (lambda f, v: (f, v), True),
        (lambda f, v: (f + 0.1 * f.std() * torch.randn(f.shape), v), False),
        (lambda f, v: (f, 1 - v), False),
        (lambda f, v: (f[:1].expand_as(f), v), False),  # a batch that was frozen to its first photo
        (lambda f, v: (f if len(f) < 8 else f.roll(1, 0), v), False),  # wrong in the largest batches alone
    ],
)
def test_batches_of_every_size_are_compared(bot, change, good):
    photos = graph.pixels_of(small_networks.photos(bot, 12))
    assert checking.agreement(Session(bot, change), bot.method, photos).good() == good


def test_of_all_sizes_the_worst_of_each_figure_counts(bot, monkeypatch):
    found = iter(
        [
            checking.Agreement(1.0, 0.1, True, 0.5, 1.0, 0.0),
            checking.Agreement(0.8, 0.3, False, 0.2, 0.5, 0.4),
            checking.Agreement(0.9, 0.2, True, 0.1, 0.7, 0.1),
        ]
    )
    monkeypatch.setattr(checking, "compared", lambda *_: next(found))
    photos = graph.pixels_of(small_networks.photos(bot, 4))
    worst = checking.agreement(Session(bot, lambda f, v: (f, v)), bot.method, photos, (1, 2, 3))
    assert worst == checking.Agreement(0.8, 0.3, False, 0.5, 0.5, 0.4)


def test_nothing_is_left_of_a_graph_that_differs(bot, tmp_path, monkeypatch):
    (tmp_path / "m.onnx").write_bytes(b"x")
    monkeypatch.setattr(checking, "session", lambda _: Session(bot, lambda f, v: (f.flip(2), v)))
    with pytest.raises(UserError, match="the exported graph is not the network: least cosine"):
        checking.check(tmp_path / "m.onnx", bot.method, graph.pixels_of(small_networks.photos(bot, 12)))
    assert not (tmp_path / "m.onnx").exists()


def test_nothing_is_left_of_a_graph_that_could_not_be_checked(bot, tmp_path, monkeypatch):
    def two_alone(features, visibility):
        if len(features) != 2:
            raise RuntimeError("Got invalid dimensions for input: images\nindex: 0 Expected: 2")
        return features, visibility

    def stopped(*_):
        raise KeyboardInterrupt("stopped")

    photos = graph.pixels_of(small_networks.photos(bot, 12))
    for change, error, words in (
        (two_alone, UserError, "cannot run the graph on 12 photos, 1 at a time: Got invalid dimensions .* Expected: 2"),
        (stopped, KeyboardInterrupt, "stopped"),
    ):
        (tmp_path / "m.onnx").write_bytes(b"x")
        monkeypatch.setattr(checking, "session", lambda _, change=change: Session(bot, change))
        with pytest.raises(error, match=words):
            checking.check(tmp_path / "m.onnx", bot.method, photos)
        assert not (tmp_path / "m.onnx").exists()


def test_it_is_said_what_was_found():
    right = embedded()
    assert "all ranks equal" in str(checking.compared(right, right, "parts"))
    said = str(checking.compared(right, changed(*right, "one visible part too many"), "parts"))
    assert "visibility different" in said
    assert "% of all ranks equal, the others' distances" in said
