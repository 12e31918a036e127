import os
import pickle
from collections import OrderedDict

import numpy as np
import pytest

from partreid.tools.programs import arrays


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_come_back(protocol):
    if protocol == 5:
        pytest.skip("writes arrays by another function; no published file does")
    value = {
        "model": OrderedDict(a=np.arange(6, dtype=np.float32).reshape(2, 3), b=np.zeros((), np.int64)),
        "__author__": "somebody",
        "number": np.float64(0.5),
        "list": [1, 2.5, None, True, (b"bytes",)],
    }
    found = arrays.load(pickle.dumps(value, protocol=protocol))
    np.testing.assert_array_equal(found["model"]["a"], value["model"]["a"])
    assert found["model"]["b"].dtype == np.int64
    assert (found["__author__"], found["number"], found["list"]) == ("somebody", 0.5, value["list"])


def test_old_names_of_numpy_are_known():
    data = pickle.dumps(np.arange(3), protocol=2).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    np.testing.assert_array_equal(arrays.load(data), [0, 1, 2])


class Runs:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("call", [(os.system, "exit 0"), (eval, "1"), (getattr, 1, "real"), (np.load, "x")])
def test_nothing_else_is_run(call):
    with pytest.raises(pickle.UnpicklingError, match="not only arrays"):
        arrays.load(pickle.dumps({"model": Runs(*call)}))


def test_bytes_are_admitted_in_one_encoding_only():
    import _codecs

    with pytest.raises(pickle.UnpicklingError, match="encoding rot13"):
        arrays.load(pickle.dumps(Runs(_codecs.encode, "x", "rot13")))


@pytest.mark.parametrize("data", [b"", b"\x80", b"hello", pickle.dumps(np.arange(99), protocol=2)[:60]])
def test_damaged_files_are_one_kind_of_error(data):
    with pytest.raises(pickle.UnpicklingError):
        arrays.load(data)
