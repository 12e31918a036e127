"""Keeping back what native libraries write to stderr themselves and nobody can act on."""

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without(noise: str) -> Iterator[None]:
    """Leave out the lines that match `noise`, a regular expression, of what reaches this process's stderr in the block.

    For libraries without a switch for it. The other lines come when the block has ended, also by an error.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            for line in file:
                if not re.search(noise, line.decode(errors="replace")):
                    os.write(2, line)
