"""Where files of the project lie: image tables, what a training leaves behind, the test on its own or another set."""

from dataclasses import dataclass
from pathlib import Path


def index(dataset: str) -> Path:
    """The image table of a data set."""
    return Path("data/index") / f"{dataset}.parquet"


def pretraining(name: str, dataset: str) -> Path:
    """The folder of a pre-training: weights.safetensors, curves/ and the like, as of a training."""
    return Path("runs") / f"pretrain-{name}-{dataset}"


def index_stage(dataset: str) -> str:
    """The stage that makes a data set's image table; rendered sets, all called synthetic..., have one of their own."""
    return f"data/dvc.yaml:index{'-' if dataset.startswith('synthetic') else '@'}{dataset}"


def absent(file: Path) -> str:
    """What is to be said of a file that is not there: also the command that makes it, where there is one."""
    command = maker(file)
    return f"no file {file}; `{command}` makes it" if command else f"no file {file}"


def maker(file: Path) -> str:
    """The command that makes a file of the project; "" for any other."""
    name = file.stem
    match file.parts[-4:]:
        case (*_, "data", "index", _):
            return f"dvc repro {index_stage(name)}"
        case ("data", "labels", label, _):
            return f"dvc repro data/dvc.yaml:{label}@{name}"
        case ("data", "tools", tool, _):
            return f"dvc repro data/dvc.yaml:tool@{tool}-{name}"
        case (*_, "runs", run, _) if run.startswith("pretrain-"):  # for the chosen data set
            return f"dvc repro stages/dvc.yaml:pretrain@{run.split('-')[1]}"
        case ("runs", run, "labels", _) | (*_, "runs", run, _) if "-" in run:
            return _tested(run, name.removeprefix("embeddings-") if name.startswith("embeddings-") else "")
        case (*_, "results", target, run, _):
            return _tested(run, target) if "-" in run else _tested(f"{run}-{target}", "")
        case (*_, "data", rendered, "truth.npz"):
            return f"dvc repro data/dvc.yaml:{rendered}"
    return ""


def _tested(run: str, target: str) -> str:
    """The command that trains and tests <model>-<dataset>, maybe another than the chosen ones, also on a target."""
    model, _, dataset = run.partition("-")
    also = f" -S 'also_test_on=[{target}]'" if target else ""
    return f"dvc exp run dvc.yaml -S model={model} -S dataset={dataset}{also}"


@dataclass(frozen=True)
class Run:
    """A model trained on `dataset` and tested on `target`, mostly the same set."""

    model: str
    dataset: str
    target: str

    @property
    def folder(self) -> Path:
        """What training left behind: weights.safetensors and curves/."""
        return Path("runs") / f"{self.model}-{self.dataset}"

    @property
    def weights(self) -> Path:
        return self.folder / "weights.safetensors"

    @property
    def training(self) -> Path:
        """What the training had, and how far it came: partreid.training.budget."""
        return self.folder / "training.json"

    @property
    def card(self) -> Path:
        """The model card, beside the weights."""
        return self.weights.with_suffix(".md")

    @property
    def index(self) -> Path:
        """The image table that is tested on."""
        return index(self.target)

    @property
    def embeddings(self) -> Path:
        """Of the target's images; the name has the target where it is another set."""
        return self.folder / ("embeddings.npz" if self._own() else f"embeddings-{self.target}.npz")

    @property
    def results(self) -> Path:
        """Results on the target; the name has the training set where it is another set."""
        return Path("results") / self.target / (self.model if self._own() else f"{self.model}-{self.dataset}")

    @property
    def metrics(self) -> Path:
        """What was measured: protocol -> measure -> value."""
        return self.results / "metrics.json"

    @property
    def title(self) -> str:
        return f"{self.model} on {self.target}" + ("" if self._own() else f", trained on {self.dataset}")

    def _own(self) -> bool:
        return self.dataset == self.target
