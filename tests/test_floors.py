"""The architecture: imports run downwards only."""

import ast
from pathlib import Path

# top to bottom; a room imports from the floors below its own, never from its own or one above. CONTRIBUTING.md shows it
FLOORS = """
__init__
serving
api report
embedding experiments export inspection search
checkpoints inference photo_labels pretraining quality training
drawing methods tools
backbones datasets
evaluation inputs labels synthetic
losses params storage
program
errors
body chatter layers memory progress strict_yaml words
"""
SOURCE = Path(__file__).parents[1] / "src/partreid"


def floor_of_rooms() -> dict[str, int]:
    """Room -> floor, 0 at the bottom."""
    floors = reversed(FLOORS.split("\n")[1:-1])
    return {room: floor for floor, rooms in enumerate(floors) for room in rooms.split()}


def arrows() -> list[tuple[str, str, str]]:
    """Room, room it imports from, and where."""
    found = []
    for file in sorted(SOURCE.rglob("*.py")):
        room = file.relative_to(SOURCE).with_suffix("").parts[0]
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ImportFrom) or node.module is None:
                continue
            first, *rest = node.module.split(".")
            if first == "partreid":
                targets = rest[:1] or [name.name for name in node.names]
                found += [(room, target, f"{file.name}:{node.lineno}") for target in targets if target != room]
    return found


def test_every_room_has_a_floor():
    rooms = {path.relative_to(SOURCE).with_suffix("").parts[0] for path in SOURCE.rglob("*.py")}
    assert rooms == set(floor_of_rooms())


def test_imports_run_downwards():
    floor = floor_of_rooms()
    up = [f"{room} -> {target} ({where})" for room, target, where in arrows() if floor[target] >= floor[room]]
    assert arrows()
    assert not up


def test_no_import_goes_by_another_way():
    # `import partreid.x` and `from . import x` would pass the test above unseen
    for file in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            assert not (isinstance(node, ast.ImportFrom) and node.level), file
            if isinstance(node, ast.Import):
                assert not any(name.name.startswith("partreid") for name in node.names), file


def test_scikit_learn_is_imported_only_where_it_is_called():
    # with scipy.stats it takes a second, and every stage and every report imports what calls it
    heads = {
        f"{file.name}:{node.lineno}"
        for file in SOURCE.rglob("*.py")
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if (isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "sklearn")
        or (isinstance(node, ast.Import) and any(name.name.partition(".")[0] == "sklearn" for name in node.names))
    }
    assert not heads
