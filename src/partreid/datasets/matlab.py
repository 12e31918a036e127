"""MATLAB files up to version 7, in which some benchmarks keep their splits. (7.3 is HDF5: see cuhk03_mat.py.)"""

from pathlib import Path

import numpy as np

from partreid.errors import UserError


def read(path: Path, *names: str) -> list[np.ndarray]:
    """The variables `names` of a .mat file, without axes of length 1; a cell of texts is an object array of str.

    Raises UserError when the file is no MATLAB file, damaged, or lacks a variable.
    """
    from scipy.io import loadmat  # here: every stage knows all readers, and few need this

    try:
        found = loadmat(path, squeeze_me=True, variable_names=names)
    except Exception as error:  # whatever SciPy's parser stumbles over: it does not check what it reads
        raise UserError(f"{path} cannot be read as a MATLAB file ({error}); fetch it again") from error
    absent = [name for name in names if name not in found]
    if absent:
        raise UserError(f"{path} holds no {', '.join(absent)}: this is another file of that name; fetch the right one")
    return [np.atleast_1d(found[name]) for name in names]
