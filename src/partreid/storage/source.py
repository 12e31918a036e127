"""Which source files decide a result: those that a module imports, and those that they import in turn."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from partreid.storage.files import fingerprint, sha256

PACKAGE = "partreid"
ROOT = Path(__file__).parents[1]
HANDS_ON = ("errors", "params", "storage")  # hand values and files on, and decide no number


def code(*modules: str) -> str:
    """16 hex digits that change when a source file that decides what these modules compute changes."""
    return fingerprint([(str(file.relative_to(ROOT)), sha256(file)) for file in reached(*modules)])


def reached(*modules: str) -> list[Path]:
    """The files of these modules and of all they import from this package, sorted; without HANDS_ON.

    modules: dotted, as `partreid.methods.mpn`. A package stands for its `__init__.py`; who imports a module out of a
    package does not reach the package's `__init__.py`, else a registry would join all that it lists.
    """
    found: set[Path] = set()
    todo = [_file(module) for module in modules]
    while todo:
        file = todo.pop()
        if file is None or file in found or file.relative_to(ROOT).with_suffix("").parts[0] in HANDS_ON:
            continue
        found.add(file)
        todo += _imported(file)
    return sorted(found)


@cache
def _imported(file: Path) -> list[Path]:
    files = (_file(module) for module in _modules(ast.parse(file.read_text(encoding="utf-8"))))
    return [each for each in files if each is not None]


def _modules(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for name in node.names:
                inner = f"{node.module}.{name.name}"
                yield inner if _file(inner) else node.module


@cache
def _file(module: str) -> Path | None:
    """The file of a module of this package; None for what is no module of it."""
    first, *rest = module.split(".")
    if first != PACKAGE:
        return None
    path = ROOT.joinpath(*rest)
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)
