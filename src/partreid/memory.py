"""What becomes of memory that a program has given back.

A training step takes some gigabytes and gives them back, and so does the next. glibc returns large pieces to the system
at once, which has to clear every page of them before it hands them out again. Kept, and in pages of 2 MiB in place of
4 KiB, they make training and test on a CPU faster (docs/performance.md).
"""

import ctypes
import os
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # glibc's malloc.h


def keep() -> None:
    """From now on this process keeps what it gives back; before its first tensor: torch asks for large pages.

    Only together: a large page takes long to clear, and of memory that is not kept it would be cleared in every step.
    A process may hold a third more at its peak, where pieces do not fit into what was kept. Without glibc nothing
    happens.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "gnu_get_libc_version"):
        return
    libc.mallopt(M_MMAP_MAX, 0)  # large pieces too come from the heap
    libc.mallopt(M_TRIM_THRESHOLD, -1)  # whose end is never given back
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
