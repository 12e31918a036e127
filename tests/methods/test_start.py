"""Weights of an earlier training as the start of another."""

import pytest
import torch

from partreid import methods
from partreid.errors import UserError
from partreid.methods.start import load_start
from small_networks import loaded, small


def _options(name, project, **changes):
    _, own = loaded(project).recipe_of(name)
    return {**own, **small(name), **changes}


def _saved(path, name, options, identities=5):
    torch.manual_seed(7)
    method = methods.build(name, identities=identities, **options)
    own = {key: value for key, value in options.items() if key != "backbone"}
    about = {"model": name, "backbone": options["backbone"], "identities": identities, "options": own}
    methods.save(path, method, {**about, "height": 64, "width": 32, "dataset": "cuhk03_detected"})
    return method.state_dict()


@pytest.mark.parametrize("name", methods.METHODS)
@pytest.mark.parametrize("identities", [5, 9])
def test_everything_but_the_classifiers_is_taken(name, identities, project, tmp_path):
    options = _options(name, project)
    saved = _saved(tmp_path / "weights.safetensors", name, options)
    torch.manual_seed(1)
    method = methods.build(name, identities=identities, **options)
    before = {key: value.clone() for key, value in method.state_dict().items()}
    header = load_start(method, tmp_path / "weights.safetensors", name, identities=identities, **options)
    assert header["dataset"] == "cuhk03_detected"
    kept = 0
    for key, value in method.state_dict().items():
        classifier = "classifier" in key and identities in before[key].shape[:2]
        assert torch.equal(value, (before if classifier else saved)[key]), key
        kept += classifier
    assert (kept > 0) == (name != "pabr")  # which learns from triplets alone


def test_weights_of_another_method_are_refused(project, tmp_path):
    _saved(tmp_path / "weights.safetensors", "bot", _options("bot", project))
    options = _options("bpbreid", project)
    method = methods.build("bpbreid", identities=5, **options)
    with pytest.raises(UserError, match="holds weights of bot, expected bpbreid"):
        load_start(method, tmp_path / "weights.safetensors", "bpbreid", identities=5, **options)


@pytest.mark.parametrize("change", [{"embedding": 32}, {"parts": 8}, {"backbone": "resnet50"}])
def test_another_shape_is_named_and_nothing_is_loaded(project, tmp_path, change):
    _saved(tmp_path / "weights.safetensors", "bpbreid", _options("bpbreid", project))
    options = _options("bpbreid", project, **change)
    method = methods.build("bpbreid", identities=5, **options)
    before = {key: value.clone() for key, value in method.state_dict().items()}
    with pytest.raises(UserError, match=r"does not fit bpbreid as params\.yaml has it: .* expected"):
        load_start(method, tmp_path / "weights.safetensors", "bpbreid", identities=5, **options)
    assert all(torch.equal(value, before[key]) for key, value in method.state_dict().items())


def test_a_file_that_is_no_weights_file_is_one_line(project, tmp_path):
    options = _options("bot", project)
    method = methods.build("bot", identities=5, **options)
    for content in (None, b"", b"text"):
        path = tmp_path / "weights.safetensors"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(UserError, match=r"weights\.safetensors"):
            load_start(method, path, "bot", identities=5, **options)
