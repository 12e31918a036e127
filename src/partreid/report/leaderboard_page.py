"""The leaderboard's HTML page: one file, pictures inlined, no script, nothing loaded from elsewhere."""

from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup
from matplotlib.figure import Figure

from partreid.drawing import pages, plots
from partreid.experiments.leaderboard import Board, tables
from partreid.report import leaderboard_pictures

CAPTIONS = {
    "accuracy": "Mean over seeds; the lines reach one standard deviation to either side.",
    "cost": "The further right, the faster; the higher, the more accurate.",
}


def pictures(board: Board) -> dict[str, Figure]:
    """The keys of CAPTIONS -> the pictures that there are numbers for."""
    found = {}
    if any(entry.runs for entry in board.entries):
        found["accuracy"] = leaderboard_pictures.by_protocol(board)
    if any(entry.runs and entry.cost for entry in board.entries):
        found["cost"] = leaderboard_pictures.against_cost(board)
    return found


def render(board: Board, commands: Sequence[str]) -> str:
    """The page. commands: shell lines that make it again."""
    template = pages.templates(Path(__file__).parent).get_template("leaderboard.html")
    return template.render(
        title=board.title,
        subtitle=f"{board.subtitle}; per cent, mean ± standard deviation over seeds",
        style=pages.style(),
        pictures=[(CAPTIONS[key], Markup(plots.svg(figure, key))) for key, figure in pictures(board).items()],
        tables=tables(board),
        commands=commands,
    )
