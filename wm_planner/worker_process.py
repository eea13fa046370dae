"""What processes of a pool do first, so that none is left behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading


def leave_interrupts_to_parent() -> None:
    """Ctrl-C reaches every process of a terminal; the parent decides and ends this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def end_with_parent() -> None:
    """End this process when its parent does, however that ends.

    Without it the workers of a parent that was killed compute on, unseen.
    """
    threading.Thread(target=_end_with_parent, name="end with parent", daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
