"""Keep the chosen run's results, weights, embeddings and params.yaml under a name that does not vanish: kept/NAME.

    python stages/keep.py NAME

Another model or value takes the place of results/ and runs/; kept/ stays. stages/runs.py lists it.
"""

from partreid import params
from partreid.experiments.kept import keep
from partreid.program import arguments, run
from partreid.storage.places import Run


def main() -> None:
    (name,) = arguments(__doc__, "name")
    p = params.load()
    print(f"kept as {keep(name, Run(p.model, p.dataset, p.dataset))}")


if __name__ == "__main__":
    run(main)
