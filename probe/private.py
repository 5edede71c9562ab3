"""A process in, one that leaves no core behind: its memory holds passwords, and others would read the file."""

import ctypes
import resource
import sys

_SET_DUMPABLE = 4  # PR_SET_DUMPABLE, prctl(2)


def leave_no_core() -> None:
    """Write no core file; nor let the kernel hand one to a program, which asks for no limit (core(5))."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_DUMPABLE, 0, 0, 0, 0)
