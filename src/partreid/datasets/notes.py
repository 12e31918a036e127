"""More to say about an image table than every reader does: the `about` metadata, extended."""

import json
from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from partreid.storage import image_table


def add(table: pa.Table, warnings: Iterable[str] = (), **notes: Any) -> pa.Table:
    """The table with further warnings and further JSON-able keys in its `about` metadata (see image_table.about)."""
    about = image_table.about(table)
    about |= notes | {"warnings": [*about.get("warnings", []), *warnings]}
    return table.replace_schema_metadata({"about": json.dumps(about, sort_keys=True)})


def warnings(table: pa.Table) -> list[str]:
    """What a table warns of."""
    return image_table.about(table).get("warnings", [])
