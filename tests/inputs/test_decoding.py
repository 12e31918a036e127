import struct

import cv2
import numpy as np
import pytest

from partreid.errors import UserError
from partreid.inputs.decoding import decoded
from partreid.inputs.images import read_image


def claiming(width: int, height: int) -> bytes:
    """A BMP that says that it has this size."""
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + 12, 0, 0, 54) + info + bytes(12)


def test_a_size_that_no_image_has_is_damage(tmp_path):
    data = claiming(1, 1 << 21)
    with pytest.raises(cv2.error):
        cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert decoded(data) is None
    assert decoded(b"") is None
    (tmp_path / "a.bmp").write_bytes(data)
    with pytest.raises(UserError, match=r"a\.bmp is damaged"):
        read_image(tmp_path / "a.bmp")
