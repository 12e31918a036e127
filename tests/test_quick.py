"""How long tests took is kept in pytest's cache, which `-p no:cacheprovider` switches off."""

from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pytest


@pytest.fixture
def quick(request):
    """The hooks of conftest.py."""
    return request.config.pluginmanager.get_plugin(str(Path(__file__).with_name("conftest.py")))


class Item(NamedTuple):
    nodeid: str
    path: Path


def config(**cache):
    deselected = []
    hook = SimpleNamespace(pytest_deselected=lambda items: deselected.extend(items))
    return SimpleNamespace(seconds={"b": 2.0}, getoption=lambda _: True, hook=hook, deselected=deselected, **cache)


def collected(*names):
    return [Item(name, Path(f"{name}.py")) for name in names]


def test_what_took_longer_than_a_second_is_left_out_and_kept_in_mind(quick):
    kept = {}
    cache = SimpleNamespace(get=kept.get, set=kept.__setitem__)
    here, items = config(cache=cache), collected("a", "b")
    quick.pytest_sessionfinish(SimpleNamespace(config=here))
    quick.pytest_collection_modifyitems(here, items)
    assert ([item.nodeid for item in items], [item.nodeid for item in here.deselected]) == (["a"], ["b"])


def test_without_pytests_cache_every_test_counts_as_new(quick):
    here, items = config(), collected("b", "pipeline")
    quick.pytest_sessionfinish(SimpleNamespace(config=here))
    quick.pytest_collection_modifyitems(here, items)
    assert [item.nodeid for item in items] == ["b"]
