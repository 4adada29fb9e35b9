"""The C library's memory allocator, told to keep what it is given back."""

import ctypes
import platform

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3  # of glibc's malloc.h
MOST_MMAP = 32 * 2**20  # what glibc accepts; larger blocks are always returned
MOST, TOP_PAD = 2**31 - 1, 64 * 2**20


def keep_freed_memory() -> None:
    """Let glibc reuse the memory of freed tensors instead of returning it to the system; nothing elsewhere.

    By default it returns and asks again some 10,000 pages in each training step of the nano base, which take 8 % of it.
    """
    if platform.libc_ver()[0] == "glibc":
        library = ctypes.CDLL(None)
        for option, value in ((M_MMAP_THRESHOLD, MOST_MMAP), (M_TRIM_THRESHOLD, MOST), (M_TOP_PAD, TOP_PAD)):
            if not library.mallopt(option, value):
                raise RuntimeError(f"glibc refuses {value} for option {option} of mallopt")
