"""Which source files decide a result: those that a module imports, and those that they import in turn."""

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from partreid.storage.files import fingerprint

PACKAGE = "partreid"
ROOT = Path(__file__).parents[1]
# hand values and files on, or look up by name who does the work, and decide no number
HANDS_ON = (
    *("chatter", "errors", "params", "program", "progress", "storage", "words"),
    *("labels/__init__", "methods/__init__", "pretraining/__init__"),
)


def code(*origins: str | Path) -> str:
    """16 hex digits that change when code that decides what these compute changes; origins: see `reached`."""
    return fingerprint(digests(*origins))


def digests(*origins: str | Path) -> dict[str, str]:
    """What decides what these compute: a source file's path in the package -> the digest of its code."""
    return {file.relative_to(ROOT).as_posix(): digest(file) for file in reached(*origins)}


def digest(file: Path) -> str:
    """16 hex digits of a source file's code: comments, docstrings, layout and Python's version do not count."""
    return _read(file.read_text(encoding="utf-8"))[0]


@cache  # many results depend on the same files, and reading all takes a second
def _read(text: str) -> tuple[str, tuple[ast.Import | ast.ImportFrom, ...]]:
    """The digest of a source text's code, and where it imports."""
    tree, imports = ast.parse(text), []
    for node in _statements(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            imports.append(node)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(
            node, clean=False
        ):
            del node.body[0]
    return hashlib.sha256(_dumped(tree).encode()).hexdigest()[:16], tuple(imports)


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """A tree's statements, and what they are in: a tenth of its nodes."""
    yield node
    for name in ("body", "handlers", "orelse", "finalbody", "cases"):
        for inner in getattr(node, name, ()):
            yield from _statements(inner)


def _dumped(value: Any) -> str:
    """What `ast.dump` gives in Python 3.11, whatever the version, so that none trains again what another has trained.

    From 3.12 on nodes have type parameters, mostly none; 3.12 itself ends a format that is computed with an empty text;
    from 3.13 on empty lists are left out unless asked for.
    """
    if isinstance(value, list):
        return f"[{', '.join(map(_dumped, value))}]"
    if not isinstance(value, ast.AST):
        return repr(value)
    kind, told = type(value), []
    for name in value._fields:
        given = getattr(value, name, None)
        if name == "type_params" and not given:
            continue
        if kind is ast.JoinedStr:
            given = [each for each in given or () if not (isinstance(each, ast.Constant) and each.value == "")]
        if given is not None or getattr(kind, name, ...) is not None:
            told.append(f"{name}={_dumped(given)}")
    return f"{kind.__name__}({', '.join(told)})"


def reached(*origins: str | Path) -> list[Path]:
    """The files of modules, and of all that these or scripts import from this package, sorted; HANDS_ON only if asked.

    origins: modules, dotted, as `partreid.methods.mpn`, and paths of scripts outside the package, which do not count
    themselves. A package stands for its `__init__.py`; who imports a module out of a package does not reach the
    package's `__init__.py`, else a registry would join all that it lists.
    """
    found: set[Path] = set()
    todo = [_file(origin) for origin in origins if isinstance(origin, str)]
    todo += [each for origin in origins if isinstance(origin, Path) for each in _imported(origin)]
    while todo:
        file = todo.pop()
        if file is None or file in found:
            continue
        found.add(file)
        todo += _imported(file)
    return sorted(found)


def _hands_on(file: Path) -> bool:
    name = file.relative_to(ROOT).with_suffix("")
    return name.parts[0] in HANDS_ON or name.as_posix() in HANDS_ON


@cache
def _imported(file: Path) -> list[Path]:
    _, imports = _read(file.read_text(encoding="utf-8"))
    return [each for each in map(_file, _modules(imports)) if each is not None and not _hands_on(each)]


def _modules(imports: Iterable[ast.Import | ast.ImportFrom]) -> Iterator[str]:
    for node in imports:
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
