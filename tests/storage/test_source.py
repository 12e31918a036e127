"""Which source files decide a result."""

import ast

import pytest

from partreid.methods import METHODS
from partreid.storage import source


def names(*modules: str) -> set[str]:
    return {str(file.relative_to(source.ROOT)) for file in source.reached(*modules)}


@pytest.mark.parametrize("method", METHODS)
def test_a_training_depends_on_its_own_method_alone(method):
    found = names(METHODS[method].__module__, "partreid.training.loop")
    assert {"training/loop.py", "training/data.py", "inputs/augmentation.py", "backbones/resnet.py"} <= found
    others = {f"methods/{other}.py" for other in METHODS if other != method}
    assert f"methods/{method}.py" in found
    assert not found & others
    assert not any(name.startswith(("storage/", "params", "errors")) for name in found)


def test_what_is_reached_over_other_files():
    assert {"layers/strips.py", "body/openpose_layout.py", "methods/mpn_prior.py"} <= names(
        "partreid.methods.mpn", "partreid.training.loop"
    )


def test_a_package_stands_for_its_registry():
    assert {f"methods/{method}.py" for method in METHODS} <= names("partreid.methods")
    assert names("partreid.nothing") == names("torch") == set()


def test_comments_docstrings_and_layout_decide_nothing(tmp_path):
    plain, told = tmp_path / "plain.py", tmp_path / "told.py"
    plain.write_text("def f(x):\n    return [x, 1]\n")
    told.write_text(
        '"""Told."""\n\n\ndef f(x):  # twice\n    """Told."""\n    return [\n        x,\n        1,\n    ]\n'
    )
    assert source.digest(plain) == source.digest(told)
    told.write_text("def f(x):\n    return [x, 2]\n")
    assert source.digest(plain) != source.digest(told)


def test_the_version_of_python_decides_nothing(tmp_path, monkeypatch):
    file = tmp_path / "a.py"
    file.write_text("def f(x, w):\n    return f'{x:>{w}}'\n\n\nclass A:\n    pass\n")
    parse, here = ast.parse, source.digest(file)

    def as_newer_ones_parse(text):
        tree = parse(text)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                node.type_params = []  # from 3.12 on
            if isinstance(node, ast.FormattedValue) and node.format_spec:
                node.format_spec.values.append(ast.Constant(""))  # 3.12
        return tree

    with monkeypatch.context() as patch:
        for kind in (ast.FunctionDef, ast.ClassDef):
            patch.setattr(kind, "_fields", tuple(dict.fromkeys([*kind._fields, "type_params"])))
        patch.setattr(ast, "parse", as_newer_ones_parse)
        file.write_text(f"{file.read_text()}# another text, which is parsed anew\n")
        newer = source.digest(file)
    assert newer == here == "86aa355f58b427d3"  # what 3.11, 3.12 and 3.13 gave


def test_a_script_stands_for_what_it_imports_and_a_registry_hands_on(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("from partreid import methods, params\nfrom partreid.layers import strips\n")
    assert [file.name for file in source.reached(script)] == ["strips.py"]
    assert "mpn.py" in {file.name for file in source.reached("partreid.methods.mpn", script)}


def test_the_code_changes_with_a_file_that_is_reached(monkeypatch, tmp_path):
    (tmp_path / "a.py").write_text("import os\nfrom partreid import b\n")
    (tmp_path / "b.py").write_text("X = 1\n")
    (tmp_path / "c.py").write_text("")
    monkeypatch.setattr(source, "ROOT", tmp_path)
    source._file.cache_clear()
    first = source.code("partreid.a")
    (tmp_path / "c.py").write_text("Y = 1\n")
    assert source.code("partreid.a") == first
    (tmp_path / "b.py").write_text("X = 2\n")
    assert source.code("partreid.a") != first
    source._file.cache_clear()
