"""Has the C library keep the memory of images that come and go.

glibc gives blocks as large as an image back to the kernel when they are freed, and at the next one
the kernel maps and clears every page again: half of what receiving a 1280x720 image costs.
"""

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # from <malloc.h>
KEPT = 128 << 20  # bytes that may be free at the end of the heap before they are given back
LARGEST = 32 << 20  # bytes of a block that is still taken from the heap


def keep_large_allocations():
    """For this process, from now on. Does nothing where the C library has no mallopt()."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, LARGEST)
        mallopt(_M_TRIM_THRESHOLD, KEPT)
