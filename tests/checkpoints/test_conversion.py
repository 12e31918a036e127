"""Released networks, filled by a rule, answer here what they answer where they are from: relative 1e-4."""

import dataclasses
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from checkpoints.published import answers, filled, images, shapes
from partreid import methods, params
from partreid.checkpoints.conversion import Converted, convert
from partreid.checkpoints.families import FAMILIES
from partreid.errors import UserError
from partreid.inputs.batch import Inputs
from partreid.inputs.images import normalise
from partreid.methods.start import load_start

PAPER = dataclasses.replace(params.load(Path(__file__).parents[2] / "params.yaml"), recipe="paper")


def converted(folder: Path, family: str, tensors: dict, **changes: object) -> Converted:
    torch.save({"state_dict": tensors, "epoch": 120, "config": SimpleNamespace(a=1)}, folder / "released.pth.tar")
    _, options = PAPER.recipe_of(FAMILIES[family].method)
    return convert(FAMILIES[family], folder / "released.pth.tar", options, changes)


def same(answer: dict[str, np.ndarray], **found: torch.Tensor) -> None:
    for name, value in found.items():
        wanted = answer[name]
        here = value.numpy()[tuple(slice(size) for size in wanted.shape)]
        assert np.abs(here - wanted).max() <= 1e-4 * np.abs(wanted).max(), name


@pytest.mark.parametrize("name", ["bpbreid_resnet50_k5", "bpbreid_hrnet32_k5"])
def test_bpbreid_answers_as_its_authors_network(tmp_path, name):
    found = converted(tmp_path, "bpbreid", filled(shapes(name)))
    method = found.method
    assert found.described.identities == 751
    assert found.described.backbone == ("hrnet_w32" if "hrnet" in name else "resnet50")
    assert {each.split(".")[1] for each in found.unused} <= {"classifier", "cls_head"}
    assert not found.ours_alone
    method.use(**{**FAMILIES["bpbreid"].at_test, "normalize": False})
    inputs = Inputs(images(256, 128))
    with torch.inference_mode():
        G = method.feature_map(inputs.images)
        M, _ = method.probabilities(G, inputs)
        f = method.embeddings(G, M)
        features, visibility = method.embed(inputs)
        same(
            answers(name),
            feature_map_mean=G.mean((2, 3)),
            probabilities_background_then_parts_mean=M.mean((2, 3)),
            probabilities_column_0=M[..., 0],
            embedding_global=f["global"],
            embedding_foreground=f["foreground"],
            embedding_parts=f["parts"],
            embedding_concatenated=f["concatenated"],
            foreground_after_neck=method.necks["foreground"].norm(f["foreground"]),
            test_embedding=features,
            test_visibility=visibility,
            visibility_of_parts=visibility[:, 1:],
            logits_global=method.necks["global"](f["global"]),
        )


def test_bag_of_tricks_answers_as_its_authors_network(tmp_path):
    found = converted(tmp_path, "bot", filled(shapes("bag_of_tricks_resnet50")))
    inputs = Inputs(images(256, 128))
    with torch.inference_mode():
        features, _ = found.method.embed(inputs)
        logits = found.method.neck(found.method.pooled(inputs.images))
        same(answers("bag_of_tricks_resnet50"), test_vector=features.flatten(1), logits=logits)
    assert not [*found.unused, *found.ours_alone]


def test_osnet_answers_as_torchreids(tmp_path):
    found = converted(tmp_path, "osnet", filled(shapes("torchreid_osnet_x1_0")))
    x = images(256, 128)
    with torch.inference_mode():
        G, (features, _) = found.method.feature_map(x), found.method.embed(Inputs(x))
        same(answers("torchreid_osnet_x1_0"), feature_map_mean=G.mean((2, 3)), test_vector=features.flatten(1))


def test_pcb_answers_as_torchreids(tmp_path):
    found = converted(tmp_path, "pcb", filled(shapes("torchreid_pcb_p6")))
    method = found.method
    method.use(**FAMILIES["pcb"].at_test)
    x = images(384, 128)
    with torch.inference_mode():
        G, (features, _) = method.feature_map(x), method.embed(Inputs(x))
        same(
            answers("torchreid_pcb_p6"),
            feature_map_mean=G.mean((2, 3)),
            test_vector=features.transpose(1, 2).flatten(1),  # theirs: channel by channel; no matter to a distance
            reduced_strips=method.strips(G),
            logits=method.part_logits(G),
        )


def test_mpn_answers_as_its_authors_network(tmp_path):
    found = converted(tmp_path, "mpn", filled(shapes("mpn_no_ca")))
    x = images(384, 128)
    with torch.inference_mode():
        G, (features, _) = found.method.feature_map(x), found.method.embed(Inputs(x))
        same(
            answers("mpn_no_ca"),
            feature_map_mean=G.mean((2, 3)),
            test_vector_per_part=features,
            logits_per_part=found.method.part_logits(G),
        )


def test_pabr_answers_as_its_authors_network(tmp_path):
    found = converted(tmp_path, "pabr", filled(shapes("pabr_dilation_1")))
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3, 160, 80)).astype(np.float32)
    inputs = Inputs(normalise(torch.from_numpy(pixels).permute(0, 2, 3, 1)))
    with torch.inference_mode():
        A, P = found.method.streams(inputs)
        features, _ = found.method.embed(inputs)
        same(
            answers("pabr_dilation_1"),
            appearance_mean=A.mean((2, 3)),
            part_mean=P.mean((2, 3)),
            vector=features.flatten(1),
        )
    assert not [*found.unused, *found.ours_alone]


# other members of the families, by the same tables


@cache
def small(name: str) -> dict[str, tuple[int, ...]]:
    """Shapes of a released network, with three persons."""
    return {key: tuple(3 if size == 751 else size for size in of) for key, of in shapes(name).items()}


def plain(shapes: dict[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    """Tensors of these shapes, where their values do not matter: drawing a ResNet-50's takes longer than loading it."""
    sketches = {key: of for key, of in shapes.items() if "sketch" in key}  # none is all zeros
    return {key: torch.zeros(of) for key, of in shapes.items()} | filled(sketches)


def with_parts(K: int) -> dict[str, tuple[int, ...]]:
    """BPBreID with K parts."""
    kept = {key: of for key, of in small("bpbreid_resnet50_k5").items() if not key.startswith("parts_identity")}
    wider = {key: tuple({6: K + 1, 2560: 512 * K}.get(size, size) for size in of) for key, of in kept.items()}
    of_part = {key: of for key, of in small("bpbreid_resnet50_k5").items() if key.startswith("parts_identity")}
    first = {key: of for key, of in of_part.items() if ".0." in key}
    return wider | {key.replace(".0.", f".{k}.", 1): of for k in range(K) for key, of in first.items()}


def test_bpbreid_with_another_number_of_parts_loads(tmp_path):
    found = converted(tmp_path, "bpbreid", plain(with_parts(8)))
    assert found.options["parts"] == 8
    assert len(found.method.part_necks) == 8
    assert found.options["foreground_pooling"] == "mean"


def test_a_grouping_can_be_named(tmp_path):
    found = converted(tmp_path, "bpbreid", plain(with_parts(5)), parts="five_v")
    assert found.options["parts"] == "five_v"
    with pytest.raises(UserError, match="bpbreid has no value part; known: attention"):
        converted(tmp_path, "bpbreid", plain(with_parts(5)), part=5)


def ibn(name: str) -> dict[str, tuple[int, ...]]:
    """A ResNet-50 turned into one with IBN."""
    turned: dict[str, tuple[int, ...]] = {}
    for key, of in small(name).items():
        if any(f"layer{k}." in key for k in (1, 2, 3)) and ".bn1." in key:
            turned[key.replace(".bn1.", ".bn1.BN.")] = tuple(size // 2 for size in of)
            if key.endswith(("weight", "bias")):
                turned[key.replace(".bn1.", ".bn1.IN.")] = tuple(size // 2 for size in of)
        else:
            turned[key] = of
    return turned


@pytest.mark.parametrize(("family", "name"), [("bpbreid", "bpbreid_resnet50_k5"), ("bot", "bag_of_tricks_resnet50")])
def test_the_backbone_with_ibn_loads(tmp_path, family, name):
    found = converted(tmp_path, family, plain(ibn(name)))
    assert found.described.backbone == "resnet50_ibn_a"
    assert not found.ours_alone


def test_a_data_parallel_file_without_classifiers_loads_and_says_what_is_ours_alone(tmp_path):
    kept = {key: of for key, of in small("torchreid_osnet_x1_0").items() if not key.startswith("classifier")}
    found = converted(tmp_path, "osnet", {f"module.{key}": value for key, value in filled(kept).items()})
    assert found.described.identities == 0
    assert sorted(found.ours_alone) == ["neck.classifier.bias", "neck.classifier.weight"]
    torch.manual_seed(0)
    drawn = methods.build("bot", backbone="osnet_x1_0", identities=2, **found.options).neck.classifier
    assert torch.equal(found.method.neck.classifier.weight, drawn.weight)


def test_pcb_with_four_strips_loads(tmp_path):
    four = {
        key: of for key, of in small("torchreid_pcb_p6").items() if not key.startswith(("classifier.4", "classifier.5"))
    }
    assert converted(tmp_path, "pcb", plain(four)).options["parts"] == 4


@pytest.mark.parametrize("reduced", [True, False])
def test_torchreids_resnet_loads_with_and_without_a_reduced_vector(tmp_path, reduced):
    state = {key: of for key, of in small("torchreid_pcb_p6").items() if not key.startswith(("classifier", "conv5"))}
    norm = ("weight", "bias", "running_mean", "running_var")
    fc = {"fc.0.weight": (512, 2048), "fc.0.bias": (512,), **{f"fc.1.{each}": (512,) for each in norm}}
    width = 512 if reduced else 2048
    state |= {**(fc if reduced else {}), "classifier.weight": (3, width), "classifier.bias": (3,)}
    found = converted(tmp_path, "resnet", filled(state))
    with torch.inference_mode():
        features, _ = found.method.embed(Inputs(images(64, 32)))
        G = found.method.feature_map(images(64, 32))
    assert features.shape == (2, 1, width)
    assert G.shape[2:] == ((4, 2) if reduced else (2, 1))
    if not reduced:
        torch.testing.assert_close(features[:, 0], G.mean((2, 3)))


def test_pabr_dilated_and_without_inner_maps_loads(tmp_path):
    state = dict(small("pabr_dilation_1"))
    state["part_feat_extractor.pose1.weight"] = (128, 57, 3, 3)
    found = converted(tmp_path, "pabr", filled(state), dilated=True)
    assert found.options["part_maps"] == ["limb", "joint"]
    assert found.method.backbone.stride == 8


# what does not fit


def test_a_tensor_that_the_table_does_not_know_is_refused(tmp_path):
    state = plain(small("torchreid_osnet_x1_0")) | {"attention.weight": torch.zeros(3)}
    with pytest.raises(UserError, match=r"tensors have a name but no place here: backbone\.attention\.weight"):
        converted(tmp_path, "osnet", state)
    state = plain(small("mpn_no_ca")) | {"ca_list.0.weight": torch.zeros(3)}
    with pytest.raises(UserError, match=r"1 of its tensors are in no row of the table of names: ca_list\.0\.weight"):
        converted(tmp_path, "mpn", state)


def test_a_missing_or_misshapen_tensor_is_refused(tmp_path):
    state = plain(small("torchreid_osnet_x1_0"))
    del state["conv1.conv.weight"]
    with pytest.raises(UserError, match=r"nothing for 1 tensors that a test needs: backbone\.conv1\.conv\.weight"):
        converted(tmp_path, "osnet", state)
    state["conv1.conv.weight"] = torch.zeros(32, 3, 7, 7)
    words = r"conv1\.conv\.weight has the shape \(32, 3, 7, 7\), backbone\.conv1\.conv\.weight here \(64, 3, 7, 7\)"
    with pytest.raises(UserError, match=words):
        converted(tmp_path, "osnet", state)


@pytest.mark.parametrize(
    ("family", "name", "tensor", "axes"),
    [
        ("osnet", "torchreid_osnet_x1_0", "fc.0.weight", 1),
        ("mpn", "mpn_no_ca", "local_conv_list.0.0.weight", 1),
        ("pabr", "pabr_dilation_1", "part_feat_extractor.pose1.weight", 2),
        ("pabr", "pabr_dilation_1", "pooling.cbp.sparse_sketch_matrix1", 2),
        ("pcb", "torchreid_pcb_p6", "classifier.0.weight", 1),
    ],
)
def test_a_width_that_no_network_has_is_refused(tmp_path, family, name, tensor, axes):
    state = plain(small(name))
    for odd in (torch.tensor(1.0), torch.zeros(0, 4), torch.zeros(10**12, 0), *[torch.zeros(3)] * (axes > 1)):
        with pytest.raises(UserError, match=r"released\.pth\.tar does not fit"):
            converted(tmp_path, family, {**state, tensor: odd})


def test_numbers_that_are_no_weights_are_refused(tmp_path):
    state = plain(small("torchreid_osnet_x1_0"))
    weight = state["conv1.conv.weight"]
    for value, kind in ((weight * torch.nan, "NaN or infinite"), (weight.to(torch.int8), "int8")):
        state["conv1.conv.weight"] = value
        with pytest.raises(
            UserError, match=rf"conv1\.conv\.weight holds {kind} values, expected finite floating-point"
        ):
            converted(tmp_path, "osnet", state)


def test_another_family_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"released\.pth\.tar does not fit bpbreid .*no tensor pixel_classifier"):
        converted(tmp_path, "bpbreid", plain(small("torchreid_osnet_x1_0")))


@pytest.mark.parametrize(
    ("asked", "name", "right"),
    [
        ("bot", "torchreid_osnet_x1_0", "osnet"),
        ("osnet", "bag_of_tricks_resnet50", "bot"),
        ("resnet", "bpbreid_resnet50_k5", "bpbreid"),
        ("bpbreid", "torchreid_pcb_p6", "pcb"),
        ("pcb", "mpn_no_ca", "mpn"),
        ("mpn", "pabr_dilation_1", "pabr"),
    ],
)
def test_the_right_family_is_named(tmp_path, asked, name, right):
    with pytest.raises(UserError, match=rf"does not fit .*\. By the names of its tensors it is of the family {right}$"):
        converted(tmp_path, asked, plain(small(name)))


def test_of_a_file_of_no_family_none_is_named(tmp_path):
    with pytest.raises(UserError, match="does not fit") as error:
        converted(tmp_path, "bot", {"layer.weight": torch.zeros(3)})
    assert "the family" not in str(error.value)


# what becomes of it


def test_the_weights_are_taken_by_a_training_with_other_persons(tmp_path):
    found = converted(tmp_path, "osnet", filled(small("torchreid_osnet_x1_0")))
    about = {"model": "bot", "backbone": "osnet_x1_0", "identities": 3, "options": dict(found.options)}
    methods.save(tmp_path / "w.safetensors", found.method, {**about, "height": 256, "width": 128})
    fresh = methods.build("bot", backbone="osnet_x1_0", identities=7, **found.options)
    load_start(fresh, tmp_path / "w.safetensors", "bot", backbone="osnet_x1_0", identities=7, **found.options)
    assert torch.equal(fresh.backbone.conv1.conv.weight, found.method.backbone.conv1.conv.weight)
    assert fresh.neck.classifier.weight.shape == (7, 512)


def test_what_torch_makes_of_a_width_of_no_network_is_one_message(tmp_path):
    with pytest.raises(UserError, match=r"bot cannot be built with .*'embedding': -1"):
        converted(tmp_path, "osnet", plain(shapes("torchreid_osnet_x1_0")), embedding=-1)
