"""Reads a pickle that holds arrays, and refuses one that holds anything else: a pickle can run any code.

Only NumPy arrays, dtypes and scalars, plain containers and byte strings are admitted, by the names under which old and
new versions of NumPy and Python 2 and 3 write them.
"""

import io
import pickle
from collections import OrderedDict
from typing import Any

import numpy as np
from numpy._core.multiarray import _reconstruct, scalar


def _bytes(text: str, encoding: str) -> bytes:
    """What Python 3 writes for a byte string in an old protocol: `_codecs.encode`, with this encoding only."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"bytes in the encoding {encoding}")
    return text.encode(encoding)


_ADMITTED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("collections", "OrderedDict"): OrderedDict,
    ("_codecs", "encode"): _bytes,
}
for _module in ("numpy.core.multiarray", "numpy._core.multiarray"):
    _ADMITTED[_module, "_reconstruct"] = _reconstruct
    _ADMITTED[_module, "scalar"] = scalar


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ADMITTED:
            raise pickle.UnpicklingError(f"it holds {module}.{name}, not only arrays")
        return _ADMITTED[module, name]


def load(data: bytes) -> Any:
    """The pickled object. pickle.UnpicklingError when it is damaged or holds anything but arrays and containers."""
    try:
        return _Reader(io.BytesIO(data), encoding="latin1").load()
    except pickle.UnpicklingError:
        raise
    except Exception as error:  # a damaged pickle can fail in any way
        raise pickle.UnpicklingError(f"it is damaged ({type(error).__name__}: {error})") from error
