"""Which code made a result."""

import subprocess

# what decides a result beside params.yaml, as git's paths: all that is tracked but what is only read, what only tests,
# and what DVC writes itself
CODE = (".", ":!params.yaml", ":!*.md", ":!docs", ":!tests", ":!*dvc.lock", ":!.dvc/tmp")


def revision() -> str:
    """The git commit of the working tree, with "-dirty" if tracked files were changed; "unknown" outside git.

    params.yaml, whose values are recorded apart, documents, tests and what DVC writes do not count.
    """
    try:
        return _git("rev-parse", "HEAD") + ("-dirty" if uncommitted() else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def short(revision: str) -> str:
    """A revision with twelve digits of its hash, and still "-dirty" where it was."""
    commit, *changed = revision.split("-")
    return "-".join([commit[:12], *changed])


def uncommitted() -> list[str]:
    """The files that decide results and differ from the commit. Raises CalledProcessError outside git."""
    return [line[3:] for line in _git("status", "--porcelain", "--untracked-files=no", "--", *CODE).splitlines()]


def same_code(commit: str) -> bool:
    """Whether a commit has this one's code; False where there is none: `dvc exp run` takes edited files along."""
    command = ["git", "diff", "--quiet", "HEAD", commit, "--", *CODE]
    return not subprocess.run(command, check=False, capture_output=True).returncode


def committed(file: str, commit: str = "HEAD") -> str | None:
    """What a file of the project, named from its root, held at a commit; None where git does not know."""
    try:
        return _git("show", f"{commit}:./{file}")
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=True).stdout.rstrip()
