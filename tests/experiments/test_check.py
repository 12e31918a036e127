import copy
import dataclasses

import pytest
import torch
import yaml

from partreid import methods, params
from partreid.errors import UserError
from partreid.experiments import check
from partreid.labels import LABELS
from partreid.storage import image_table


@pytest.fixture
def values(project):
    return yaml.safe_load((project / "params.yaml").read_text())


def changed(values, key, value):
    values = copy.deepcopy(values)
    *way, last = key.split(".")
    place = values
    for step in way:
        place = place[step]
    place[last] = value
    return values


def test_the_projects_own_file_is_valid(values):
    check.names(params.parse(values))


def test_a_label_may_take_its_keypoints_and_its_mask_from_two_tools(values):
    values = changed(values, "labels.schp.tool", "alphapose")
    check.names(params.parse(changed(values, "labels.schp.person", "densepose")))


def test_a_tool_that_gives_only_what_a_second_tool_may_give_feeds_nothing():
    assert not [name for name, label in LABELS.items() if label.fed_by(("person",))]
    assert not LABELS["schp"].fed_alone_by(("person",))
    assert not LABELS["schp"].fed_alone_by(("keypoints",))
    assert LABELS["schp"].fed_alone_by(("keypoints", "person"))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("modle", "bot", "unknown key modle"),
        ("train.sed", 1, "unknown key train.sed"),
        ("train.seed", "one", "train.seed must be int"),
        ("train.seed", True, "train.seed must be int"),
        ("dataset", "market", "unknown data set 'market'; known: "),
        ("recipe", "large", "unknown recipe (`recipe` in params.yaml) 'large'; known: laptop, paper"),
        ("model", "bott", "unknown model 'bott'; known: bot, bpbreid, fsam"),
        ("methods.bot.parts", 3, "unknown key methods.bot.parts"),
        ("methods.bpbreid.decay_at", 3, "methods.bpbreid.decay_at must be list"),
        ("recipes.laptop.hight", 3, "recipes.laptop: unknown keys ['hight']"),
        ("labels.pifpaf.tool", "openpose9", "unknown tool (labels.pifpaf.tool) 'openpose9'"),
        ("labels.heads.drop", 1.5, "labels.heads.drop is 1.5, expected the share of the images"),
        ("labels.heads.drop", -0.1, "labels.heads.drop is -0.1, expected the share of the images"),
        ("labels.heads.drop", "half", "labels.heads.drop must be float"),
        (
            "labels.schp.tool",
            "openpose",
            "labels.schp.tool is openpose, which cannot feed it; these can: alphapose, blaze",
        ),
        ("labels.schp.person", "alphapose", "unknown tool that gives `person` (labels.schp.person) 'alphapose'"),
        ("labels.pifpaf.sigma", 1.0, "unknown key labels.pifpaf.sigma"),
        ("raw.markt", "/x", "unknown data set reader 'markt'"),
        ("labels.min_coverage", 0.9, "the first not above the second, found 0.9 and 0.8"),
        ("labels.warn_coverage", "most", "labels.warn_coverage must be float, found 'most'"),
        ("labels.pifpaf", None, "labels.pifpaf must be a mapping"),
        ("recipes.laptop.bot", 5, "recipes.laptop.bot must be a mapping"),
        ("recipes.laptop.backbone", "resnet5", "unknown backbone 'resnet5'; known: "),
        ("methods.bpbreid.parts", 7, "unknown number of parts (methods.bpbreid.parts) '7'"),
        ("methods.mpn.prior", "hers", "params.yaml: methods.mpn: unknown prior of mpn 'hers'"),
        ("methods.bpbreid.identity_on", "global", "methods.bpbreid.identity_on must be list, found 'global'"),
        ("recipes.laptop.bpbreid.embedding", "wide", "recipes.laptop.bpbreid.embedding must be int, found 'wide'"),
        ("methods.bpbreid.embedding", "wide", "methods.bpbreid.embedding must be int, found 'wide'"),  # laptop has 0
        ("methods.fsam.margin", {"prcc": "w", "others": 1.0}, "methods.fsam.margin must be float, found 'w'"),
        ("pretraining.ide.dropout", "half", "pretraining.ide.dropout must be float, found 'half'"),
        ("recipes.workstation.pcb.backbone_rate", "all", "recipes.workstation.pcb.backbone_rate must be float"),
        ("recipes.laptop.bpbreid.embedding", -1, "bpbreid.embedding must be 0 or more, found -1"),
        ("recipes.laptop.mpn.embedding", 2, "methods.mpn: reduction is 4, which leaves nothing of an embedding of 2"),
        ("methods.mpn.reduction", 0, "methods.mpn: reduction is 0, expected 1 or more"),
        ("methods.mpn.parts", 0, "methods.mpn: parts is 0, expected 1 or more"),
        ("methods.pcb.parts", 0, "methods.pcb: parts is 0, expected 1 or more"),
        ("methods.pabr.part", 0, "methods.pabr: part is 0, expected 1 or more"),
        ("methods.pah.parts", 0, "methods.pah: parts is 0, expected 1 or more"),
        ("pretraining.ide.embedding", 0, "pretraining.ide: embedding is 0, expected 1 or more"),
        ("recipes.laptop.images_per_id", 0, "images_per_id must be 1 or more"),
        ("recipes.laptop.images_per_id", 1, "laptop: images_per_id is 1, but bot compares images of a person"),
        ("recipes.laptop.sampler", "random", "unknown sampler 'random'; known: consecutive, published"),
        ("recipes.laptop.batches_per_epoch", -1, "batches_per_epoch must be 0 or more"),
        ("methods.pcb.triplet_on", ["parts"], "images_per_id is 1, but pcb compares images of a person"),
        ("recipes.laptop.erase", 50, "erase is a probability"),
        ("recipes.laptop.weight_decay", float("nan"), "weight_decay must be 0 or more, found nan"),
        ("recipes.laptop.learning_rate", 0, "learning_rate must be above 0, found 0"),
        ("recipes.laptop.learning_rate", -1.0, "learning_rate must be above 0, found -1.0"),
        ("recipes.laptop.learning_rate", float("inf"), "learning_rate must be above 0, found inf"),
        ("recipes.laptop.final_rate", 10, "final_rate is a factor of the learning rate, 0 to 1, found 10"),
        ("train.device", "gpu", "unknown device (train.device) 'gpu'"),
        ("train.seed", -1, "train.seed must be 0 or more"),
        ("train.seed", 20261127000000, "train.seed must be below 18446688733642, found 20261127000000"),
        ("tools.openpose.batch", "8", "tools.openpose.batch must be int, found '8'"),
        ("tools.densepose.min_score", "half", "tools.densepose.min_score must be float, found 'half'"),
        ("labels.heads.margin", "wide", "labels.heads.margin must be float, found 'wide'"),
        ("labels.pifpaf.height", 0, "labels.pifpaf.height must be 1 or more, found 0"),
        ("train.processes", 0, "train.processes is auto or a number from 1 on, found 0"),
        (
            "recipes.laptop.backbone",
            "resnet50",
            "methods.pah: backbone ResNet50 has no front and tail; osnet_x1_0 and mobilenet_v2 have (a recipe's value "
            "for it alone stands under recipes.laptop.pah)",
        ),
        ("labels.pifpaf.min_score", 5, "labels.pifpaf.min_score must be 0 to 1, found 5"),
        ("labels.schp.thickness", 0, "labels.schp.thickness must be above 0, found 0"),
        ("labels.partmaps.sigma", float("nan"), "labels.partmaps.sigma must be above 0, found nan"),
        ("labels.heads.margin", -1, "labels.heads.margin must be 0 or more, found -1"),
        ("tools.schp.batch", -1, "tools.schp.batch must be above 0, found -1"),
        ("tools.densepose.min_score", 1.5, "tools.densepose.min_score must be 0 to 1, found 1.5"),
        ("tools.schp_files.folders", None, "tools.schp_files.folders maps data sets to where their files lie"),
        ("tools.alphapose.results", "a.json", "tools.alphapose.results maps data sets to where their files lie"),
        ("synthetic.seed", -1, "synthetic.seed must be 0 or more, found -1"),
        ("methods.bot.smoothing", -0.1, "methods.bot.smoothing must be 0 to 1, found -0.1"),
        ("methods.bot.margin", -0.3, "methods.bot.margin must be 0 or more, found -0.3"),
        ("methods.bot.embedding", -1, "methods.bot.embedding must be 0 or more, found -1"),
        ("methods.bpbreid.attention_weight", -1, "methods.bpbreid.attention_weight must be 0 or more, found -1"),
        ("recipes.laptop.bpbreid.attention_weight", -1, "recipes.laptop.bpbreid.attention_weight must be 0 or more"),
        ("methods.fsam.similarity_weight", {"prcc": -5, "others": 1}, "similarity_weight.prcc must be 0 or more"),
        ("methods.bpbreid.identity_on", None, "methods.bpbreid.identity_on must be list, found None"),
        ("methods.pabr.part_maps", -1, "methods.pabr.part_maps must be list, found -1"),
        ("at_test.pah.streams", "head", "at_test.pah.streams must be list, found 'head'"),
        ("labels.pifpaf.mask", 1, "labels.pifpaf.mask must be bool, found 1"),
        ("methods.bot.smoothing", [0.1], "methods.bot.smoothing must be float, found [0.1]"),
        ("evaluate.average_precision", "rect", "unknown formula"),
        ("also_test_on", ["duke"], "unknown data set 'duke'"),
        ("export", ["float16"], "unknown precision (export) 'float16'; known: float32, int8"),
        ("also_test_on", ["synthetic"], "which is the data set itself"),
        ("evaluate.rerank.code", "octave", "unknown code"),
        ("evaluate.rerank.k1", 0, "k1 and k2 are at least 1"),
        ("tools.blazepose.looks", 2, "unknown looks (tools.blazepose.looks) 2; known: 1, 3"),
        ("tools.schp_files.classes", "coco", "unknown classes (tools.schp_files.classes) 'coco'; known: atr, lip"),
        ("tools.openpifpaf.device", "gpu", "unknown device (tools.openpifpaf.device) 'gpu'; known: auto, cpu, cuda"),
        ("synthetic.train_images", 4, "synthetic: train_images is 4, expected at least 6 of a person, who has up to 3"),
        ("synthetic_large.images", 7, "synthetic_large: images is 7, expected at least 8 of a person"),
        ("methods.fsam.margin", {"prcc": 0.3}, "methods.fsam.margin lists data sets, so it needs a value for `others`"),
        ("methods.fsam.margin", {"pcrr": 0.3, "others": 1.0}, "unknown data set (methods.fsam.margin) 'pcrr'"),
        (
            "recipes.laptop.fsam",
            {"margin": {"pcrr": 1, "others": 1}},
            "unknown data set (recipes.laptop.fsam.margin) 'pcrr'",
        ),
        ("at_test.fsam.streams", "both", "unknown key at_test.fsam.streams"),
        ("at_test.fsam.stream", "all", "unknown stream (at_test.fsam.stream) 'all'"),
        ("at_test.bpbreid.embeddings", ["left_arm"], "unknown embedding (at_test.bpbreid.embeddings) 'left_arm'"),
        ("methods.pcb.triplet_on", ["foreground"], "unknown embedding (identity_on, triplet_on) 'foreground'"),
        ("at_test.bot", {"stream": "both"}, "unknown key at_test.bot.stream"),
    ],
)
def test_a_wrong_name_or_key_is_named(values, key, value, message):
    with pytest.raises(UserError) as error:
        check.names(params.parse(changed(values, key, value)))
    assert message in str(error.value)


def test_fsam_has_a_branch_for_each_cluster_of_poses(values):
    values = changed(changed(values, "model", "fsam"), "labels.poses.clusters", 4)
    with pytest.raises(UserError, match=r"methods\.fsam\.branches is 3, labels\.poses\.clusters 4"):
        check.names(params.parse(values))
    check.names(params.parse(changed(values, "methods.fsam.branches", 4)))
    check.names(params.parse(changed(values, "methods.fsam.branching", "added")))
    check.names(params.parse(changed(values, "model", "bot")))


def test_a_pooling_that_there_is_not_is_no_mean_where_there_are_no_parts(values):
    values = changed(changed(values, "methods.pabr.part_stream", "none"), "methods.pabr.pooling", "second_oder")
    with pytest.raises(UserError, match="unknown pooling 'second_oder'; known: compact, concat, exact, second_order"):
        check.names(params.parse(values))


def test_every_bound_is_of_a_key_that_there_is(values):
    def keys(block):
        for key, value in block.items() if isinstance(block, dict) else ():
            yield key
            yield from keys(value)

    assert params.BOUNDS.keys() <= set(keys(values))


def test_a_small_number_as_dvc_writes_it_is_a_number(project, tmp_path):
    text = (project / "params.yaml").read_text()
    path = tmp_path / "params.yaml"
    path.write_text(text.replace("weight_decay: 5.0e-4", "weight_decay: 1e-05"))
    p = params.load(path)
    assert p.recipe_of("bot")[0].weight_decay == 1e-5


@pytest.mark.parametrize("content", ["", "- a\n", "a: [\n"])
def test_a_file_that_is_no_mapping_is_a_user_error(tmp_path, content):
    path = tmp_path / "params.yaml"
    path.write_text(content)
    with pytest.raises(UserError, match=r"params\.yaml"):
        params.load(path)


def test_a_missing_key_is_named(values):
    del values["methods"]["bpbreid"]["margin"]
    with pytest.raises(UserError, match=r"missing key methods\.bpbreid\.margin"):
        check.names(params.parse(values))


def test_a_recipe_lies_over_every_method_and_its_block_over_one(values):
    values["recipes"]["mine"] = {"epochs": 3, "bpbreid": {"parts": 8, "epochs": 4}}
    values["recipe"] = "mine"
    p = params.parse(values)
    assert p.recipe_of("bot")[0].epochs == 3
    recipe, own = p.recipe_of("bpbreid")
    assert (recipe.epochs, own["parts"]) == (4, 8)
    assert recipe.learning_rate == values["methods"]["bpbreid"]["learning_rate"]


def test_a_value_may_depend_on_the_data_set(values):
    values = changed(values, "raw", {**values["raw"], "prcc": "/data/prcc"})
    values["datasets"].append("prcc")
    values["methods"]["fsam"]["similarity_weight"] = {"prcc": 5.0, "others": 2.0}
    assert params.parse({**values, "dataset": "prcc"}).recipe_of("fsam")[1]["similarity_weight"] == 5
    assert params.parse({**values, "dataset": "synthetic"}).recipe_of("fsam")[1]["similarity_weight"] == 2
    values["methods"]["fsam"]["similarity_weight"] = 0.0  # as an ablation sets it
    assert params.parse({**values, "dataset": "prcc"}).recipe_of("fsam")[1]["similarity_weight"] == 0


def test_a_value_that_every_recipe_lays_over_is_checked_too(values):
    values["recipes"] = {"laptop": values["recipes"]["laptop"]}
    with pytest.raises(UserError, match=r"methods\.bot\.epochs must be int, found 'many'"):
        params.parse(changed(values, "methods.bot.epochs", "many"))


def test_the_paper_recipe_adds_nothing(values):
    values["recipe"] = "paper"
    recipe, own = params.parse(values).recipe_of("bpbreid")
    defaults = {
        field.name: field.default
        for field in dataclasses.fields(params.Recipe)
        if field.name not in values["methods"]["bpbreid"]
    }
    parts = values["methods"]["bpbreid"]["parts"]["others"]
    assert {**vars(recipe), **own} == {**values["methods"]["bpbreid"], **defaults, "parts": parts}


def test_a_part_and_its_pre_training_are_the_same_network(values):
    values = changed(values, "recipes.laptop.freeze", "none")  # else the first complaint: OpenPose has no stride 4
    over = changed(values, "recipes.laptop.pabr.part_network", "openpose")
    with pytest.raises(UserError, match=r"part_network of methods\.pabr starts from pretraining\.partmaps, whose"):
        check.names(params.parse(over))


def test_a_batch_of_one_image_is_refused(values):
    recipe, _ = params.parse(values).pretraining_of("ide")
    check.values(dataclasses.replace(recipe, ids_per_batch=2, images_per_id=1), "pretraining.ide")
    with pytest.raises(UserError, match=r"pretraining.ide: ids_per_batch x images_per_id is 1"):
        check.values(dataclasses.replace(recipe, ids_per_batch=1, images_per_id=1), "pretraining.ide")


def test_a_method_whose_values_have_been_taken_out_is_named(values):
    for block in (values["methods"], values["at_test"], *values["recipes"].values()):
        block.pop("fsam", None)
    with pytest.raises(UserError, match="unknown method 'fsam'; known: bot, bpbreid"):
        check.names(params.parse(values))


def test_a_start_that_does_not_fit_is_refused_before_any_work(values, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights").mkdir()
    start = tmp_path / "weights" / "old.pt"
    values["train"]["start_from"], values["model"] = "old.pt", "bot"
    torch.save({"epoch": 1, "state_dict": {}}, start)
    with pytest.raises(UserError, match="a checkpoint with the keys epoch, state_dict"):
        check.names(params.parse(values))
    values["train"]["start_from"] = str(start)  # Python would find it, DVC would not
    with pytest.raises(UserError, match=r"train\.start_from is /.*/old\.pt, expected the name of a file in weights/"):
        check.names(params.parse(values))
    values["train"]["start_from"] = "old.pt"
    recipe, own = params.parse(values).recipe_of("bot")
    other = methods.build("bot", backbone="resnet50", identities=3, **own)
    about = {"model": "bot", "backbone": "resnet50", "identities": 3, "options": own, "height": 9, "width": 9}
    methods.save(start, other, about)
    with pytest.raises(UserError, match=r"does not fit bot as params\.yaml has it"):
        check.names(params.parse(values))
    methods.save(start, methods.build("bot", backbone=recipe.backbone, identities=3, **own), about)
    check.names(params.parse(values))


def test_what_the_image_table_knows_is_said_by_the_check(values, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values |= {"dataset": "folder"}
    values["raw"]["folder"] = str(tmp_path)
    p = params.parse(values)
    assert check.tables(p) == []
    row = {"width": 1, "height": 1, "sha1": "0", "pid": 1, "camid": 0, "split": "train"}
    table = image_table.build([{**row, "path": "a.jpg"}], {})
    image_table.write(table, tmp_path / "data/index/folder.parquet")
    assert check.tables(p) == []  # its images are elsewhere: it is about to be made anew
    (tmp_path / "a.jpg").touch()
    with pytest.raises(UserError, match=r"folder has 1 person to train on(.|\n)*delete data/index/folder.parquet"):
        check.tables(p)


@pytest.mark.parametrize(("epochs", "warmup", "doubted"), [(2, 3, True), (2, 1, True), (3, 1, False), (2, 0, False)])
def test_a_training_that_is_mostly_warm_up_is_doubted(values, epochs, warmup, doubted):
    short = changed(values, "recipes.laptop.epochs", epochs)
    said = check.doubts(params.parse(changed(short, "recipes.laptop.warmup_epochs", warmup)))
    assert [line for line in said if "lower warmup_epochs with epochs" in line] == ([said[0]] if doubted else [])


def test_a_training_of_no_epochs_is_doubted(values):
    none = params.parse(changed(values, "recipes.laptop.epochs", 0))
    assert "bpbreid is trained for 0 epochs: its new layers stay as they were drawn at random" in check.doubts(none)


def test_a_prior_of_one_network_is_doubted(values):
    mpn = changed({**values, "model": "mpn"}, "labels.schp.tool", "blazepose")
    mpn = changed(mpn, "labels.schp.person", "blazepose")
    assert "both blazepose" in check.doubts(params.parse(mpn))[0]
    assert not check.doubts(params.parse(changed(mpn, "labels.schp.person", "densepose")))
    assert not check.doubts(params.parse(changed(mpn, "methods.mpn.prior", "uniform")))
    assert not check.doubts(params.parse(changed(mpn, "methods.mpn.tasks", "auxiliary")))  # has no prior
    assert "both blazepose" in check.doubts(params.parse(changed(mpn, "methods.mpn.prior", "roi_resize")))[0]
    assert not check.doubts(params.parse({**values, "model": "bot"}))


def test_a_published_parser_is_not_held_to_another_tools_label(values):
    values = changed(values, "recipe", "paper")
    check.names(params.parse(values))
    values = changed(values, "methods.fsam.coarse", "label")
    with pytest.raises(
        UserError, match=r"recipe paper: F_m starts as SCHP's .* labels\.schp of blazepose; take coarse"
    ):
        check.names(params.parse(values))
    check.names(params.parse(changed(values, "labels.schp.tool", "schp")))
    check.names(params.parse(changed(values, "methods.fsam.preservation_weight", 0.0)))
    check.names(params.parse(changed(values, "methods.fsam.streams", "appearance")))  # which has no masks
    check.names(params.parse(changed(values, "recipe", "laptop")))  # whose F_m learns that label


@pytest.mark.parametrize(
    ("model", "kinds"),
    [("pah", ["heads"]), ("fsam", ["poses"]), ("bpbreid", ["pifpaf"]), ("mpn", ["schp"]), ("pabr", []), ("bot", [])],
)
def test_with_the_papers_recipe_labels_of_other_tools_are_told(values, model, kinds):
    values = changed(changed(values, "recipe", "paper"), "model", model)
    told = check.other_tools(params.parse(values))
    assert len(told) == len(kinds)
    for kind, line in zip(kinds, told, strict=True):
        assert line.endswith(f"-S labels.{kind}.tool={check.PAPERS[kind]}")
    assert check.other_tools(params.parse(changed(values, "recipe", "laptop"))) == []
    for kind in kinds:
        values = changed(values, f"labels.{kind}.tool", check.PAPERS[kind])
    assert check.other_tools(params.parse(values)) == []


@pytest.mark.parametrize(
    ("model", "pretraining", "kind"), [("fsam", "parsing", "schp"), ("pabr", "partmaps", "partmaps")]
)
def test_a_published_network_learns_from_a_label_only_where_it_is_trained(values, model, pretraining, kind):
    values = changed(changed(values, "recipe", "paper"), "model", model)
    for epochs in (0, 20):
        told = check.other_tools(params.parse(changed(values, f"pretraining.{pretraining}.epochs", epochs)))
        assert any(f"{model} learns from {kind} of" in line for line in told) == bool(epochs)


def test_a_params_yaml_that_is_not_utf8_is_one_message(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_bytes("model: größe".encode("latin-1"))
    with pytest.raises(UserError, match=r"params\.yaml is not valid YAML: .*utf-8"):
        params.load(path)


def test_a_key_that_stands_twice_in_a_block_is_one_message(project, tmp_path):
    path = tmp_path / "params.yaml"
    written = (project / "params.yaml").read_text()
    path.write_text(
        written.replace("  pcb:\n", "  bpbreid:\n    parts: 5\n  pcb:\n", 1)
    )  # a block pasted once too often
    with pytest.raises(
        UserError, match=r"'bpbreid' stands twice in one block, first in line \d+; keep one\n.* line \d+"
    ):
        params.load(path)
