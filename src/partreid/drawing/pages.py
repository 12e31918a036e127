"""What the HTML pages share: how their templates are read, their style, and pictures inside them."""

import base64
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from partreid.drawing.pictures import jpeg

STYLE = Path(__file__).with_suffix(".css")


def templates(folder: Path) -> Environment:
    """The templates of a folder: text that is put in is escaped, and a value that is missing is an error."""
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def style(*more: Path) -> Markup:
    """The style of every page, then that of files of a page's own."""
    return Markup("".join(file.read_text(encoding="utf-8") for file in (STYLE, *more)))


def uri(picture: np.ndarray, quality: int = 80) -> str:
    """RGB uint8 (H, W, 3) as a data URI. quality: of JPEG."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg(picture, quality)).decode()
