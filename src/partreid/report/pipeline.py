"""The stages behind a result, read from the project's dvc.yaml files, and their drawing.

A small reader of its own: it resolves the templates that this project uses (`${a.b}`, foreach over a list or mapping,
matrix), so the report needs neither dvc nor the seconds dvc takes to start.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path, PurePosixPath
from typing import Any

from partreid.errors import UserError
from partreid.params import told

FILES = ("data/dvc.yaml", "stages/dvc.yaml", "dvc.yaml")  # relative to the project's root
_FIELD = re.compile(r"\$\{\s*([^}]+?)\s*\}")


@dataclass(frozen=True)
class Stage:
    """One cell of a pipeline. deps and outs are paths relative to the project's root."""

    name: str
    file: str
    cmd: str
    deps: tuple[str, ...]
    outs: tuple[str, ...]
    params: tuple[str, ...]

    @property
    def written(self) -> str:
        """The outs as one line; the files of one folder share its name: `runs/a/{weights.safetensors, curves}`."""
        folders: dict[PurePosixPath, list[str]] = {}
        for out in map(PurePosixPath, self.outs):
            folders.setdefault(out.parent, []).append(out.name)
        return ", ".join(
            str(folder / names[0]) if len(names) == 1 else f"{folder}/{{{', '.join(names)}}}"
            for folder, names in folders.items()
        )


@dataclass(frozen=True)
class Lane:
    """The way of a stage's outputs down the drawing: from row `source` to rows `targets`, in column `place`."""

    source: int
    targets: tuple[int, ...]
    place: int


def read(root: Path) -> list[Stage]:
    """All stages of the project at `root`. Raises UserError when a pipeline file is missing or is not YAML."""
    stages: list[Stage] = []
    for file in FILES:
        content = _yaml(root / file)
        values: dict[str, Any] = {}
        values.update(_yaml(root / "params.yaml"))
        for named in content.get("vars", []):
            values.update(named if isinstance(named, Mapping) else _yaml(root / PurePosixPath(file).parent / named))
        stages += parse(content, values, file)
    return stages


def _yaml(path: Path) -> dict[str, Any]:
    try:
        return told(path) or {}
    except OSError as error:
        raise UserError(f"no {path}, which the report draws the pipeline from; run from the project's root") from error


def parse(content: Mapping[str, Any], values: Mapping[str, Any], file: str) -> list[Stage]:
    """The stages of one dvc.yaml. content: the file's mapping. values: what its templates may name."""
    folder = PurePosixPath(file).parent
    stages = []
    for name, block in content.get("stages", {}).items():
        for suffix, body, more in _cells(block, values):
            body = _fill(body, {**values, **more})
            base = folder / body.get("wdir", ".")
            outs = [entry for kind in ("outs", "metrics", "plots") for entry in body.get(kind, [])]
            cmd = body["cmd"]
            stages.append(
                Stage(
                    name=name + suffix,
                    file=file,
                    cmd=cmd if isinstance(cmd, str) else " && ".join(cmd),
                    deps=tuple(dict.fromkeys(_path(base, entry) for entry in body.get("deps", []))),
                    outs=tuple(_path(base, entry) for entry in outs),
                    params=tuple(key for entry in body.get("params", []) for key in _keys(entry)),
                )
            )
    return stages


def _cells(block: Any, values: Mapping[str, Any]) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """The cells of a stage: (suffix of its name, body, template values of the cell)."""
    if "foreach" in block:
        over = _fill(block["foreach"], values)
        if isinstance(over, Mapping):
            for key, item in over.items():
                yield f"@{key}", block["do"], {"key": key, "item": item}
        else:
            for item in over:
                yield f"@{item}", block["do"], {"item": item}
    elif "matrix" in block:
        axes = _fill(block["matrix"], values)
        for choice in product(*(enumerate(values) for values in axes.values())):
            cell = {axis: value for axis, (_, value) in zip(axes, choice, strict=True)}
            names = (  # DVC numbers what is no plain value
                f"{axis}{number}" if isinstance(value, Mapping | list) else str(value)
                for axis, (number, value) in zip(axes, choice, strict=True)
            )
            yield "@" + "-".join(names), block, {"item": cell}
    else:
        yield "", block, {}


def _fill(value: Any, values: Mapping[str, Any]) -> Any:
    """Replace ${a.b} in every string; a string that is one template alone becomes the value itself."""
    if isinstance(value, Mapping):
        return {_fill(key, values): _fill(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, values) for item in value]
    if not isinstance(value, str):
        return value
    if whole := _FIELD.fullmatch(value):
        return _look_up(whole[1], values)
    return _FIELD.sub(lambda match: str(_look_up(match[1], values)), value)


def _look_up(name: str, values: Mapping[str, Any]) -> Any:
    found: Any = values
    for key in name.split("."):
        if not isinstance(found, Mapping) or key not in found:
            return "${" + name + "}"  # a stage of another method may name what this run lacks; it is not drawn
        found = found[key]
    return found


def _path(base: PurePosixPath, entry: Any) -> str:
    parts: list[str] = []
    for part in (base / (next(iter(entry)) if isinstance(entry, Mapping) else entry)).parts:
        if part == ".." and parts:
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)


def _keys(entry: Any) -> list[str]:
    if isinstance(entry, Mapping):
        return [key for keys in entry.values() for key in keys or []]
    return [entry]


def upstream(stages: Sequence[Stage], goal: str) -> list[Stage]:
    """The stage named `goal` and all it needs, each after what it needs."""
    ordered: list[Stage] = []

    def visit(stage: Stage) -> None:
        if stage not in ordered:
            for other in stages:
                if other is not stage and feeds(other, stage):
                    visit(other)
            ordered.append(stage)

    for stage in stages:
        if stage.name == goal:
            visit(stage)
    return ordered


def feeds(source: Stage, target: Stage) -> bool:
    """Whether `target` depends on an output of `source`, on a folder that holds one, or on a file inside one."""
    return any(
        dep == out or dep.startswith(out + "/") or out.startswith(dep + "/")
        for dep in target.deps
        for out in source.outs
    )


def lanes(stages: Sequence[Stage]) -> list[Lane]:
    """One lane per stage that feeds others, in columns such that lanes whose rows overlap stand side by side.

    Column 0 is the line through the stages themselves: it is free for a lane that reaches only the next row.
    """
    result: list[Lane] = []
    ends: list[int] = []  # per column from 1 on, the row where its last lane ends
    for source, stage in enumerate(stages):
        targets = tuple(row for row in range(source + 1, len(stages)) if feeds(stage, stages[row]))
        if targets == (source + 1,):
            result.append(Lane(source, targets, 0))
        elif targets:
            free = [column for column, end in enumerate(ends) if end <= source]
            column = free[0] if free else len(ends)
            ends[column : column + 1] = [targets[-1]]
            result.append(Lane(source, targets, column + 1))
    return result
