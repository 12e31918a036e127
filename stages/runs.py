"""What has been run in this clone, and what was kept: values, mAP and rank-1 by the main protocol.

python stages/runs.py                          # newest last; kept runs first, by when they were kept
python stages/runs.py --sort mAP
python stages/runs.py --diff blunt-soul kept/first
python stages/runs.py --apply blunt-soul       # bring its values and files back
"""

import argparse

from partreid import params
from partreid.experiments import brought, kept
from partreid.experiments.dvc import commits, show
from partreid.program import run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sort", choices=("when", "mAP", "rank1"), default="when")
    parser.add_argument("--diff", nargs=2, metavar="RUN", help="what two runs differ in")
    parser.add_argument("--apply", metavar="RUN", help="bring a run's values and files back")
    given = parser.parse_args()
    params.read()  # elsewhere than in the project, its message is said, not DVC's
    lines = [*kept.kept(), *kept.experiments(show(*commits()))]
    if given.diff:
        print(kept.difference(*(kept.found(lines, name) for name in given.diff)))
        return
    if given.apply:
        brought.bring(kept.found(lines, given.apply))
        print(f"{given.apply} is here: params.yaml, results, weights; `git diff params.yaml` shows its values")
        return
    if given.sort == "when":
        lines.sort(key=lambda line: (not line.name.startswith(f"{kept.KEPT}/"), line.when))
    else:
        lines.sort(key=lambda line: line.measure(given.sort))
    if not lines:
        print("nothing has been run in this clone; `python stages/keep.py NAME` lists results that `dvc pull` brought")
        return
    print(kept.table(lines, kept.committed_values()))


if __name__ == "__main__":
    run(main)
