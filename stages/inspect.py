"""Look at a label cache: contact sheets and an HTML page. Usage: python stages/inspect.py LABEL DATASET

This file has the name of a standard module, and Python looks for modules in a script's own folder first. So it takes
the folder off the search path when it is run, and steps aside when another stage's imports ask for `inspect`.
"""

import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
elsewhere = [entry for entry in sys.path if Path(entry).resolve() != FOLDER]

if __name__ == "__main__":
    sys.path[:] = elsewhere
    from partreid.inspection.program import main
    from partreid.program import run

    run(main)
else:
    found = PathFinder.find_spec("inspect", elsewhere)
    if found is None or found.loader is None:
        raise ImportError("no standard module inspect")
    sys.modules[__name__] = module_from_spec(found)
    found.loader.exec_module(sys.modules[__name__])
