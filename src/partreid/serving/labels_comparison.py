"""How far two labels of the same images agree, found image by image while pages are already shown."""

import threading
from contextlib import AbstractContextManager

import numpy as np

from partreid.errors import UserError
from partreid.inspection import diff
from partreid.quality import MEASURES
from partreid.quality.side import Side

STEP = 64  # images that are compared while pages wait
PAUSE = 0.002  # seconds between two steps: a lock let go and taken at once would not be anybody else's


class Comparison:
    """A thread that compares all images, some at a time, in the order of the image table.

    values: float (N,), NaN where it is not known yet or there is nothing to compare; done: how many images have been
    looked at; error: why it stopped before the end. reading: held while labels are read.
    """

    def __init__(self, label: str, a: Side, b: Side, images: int, reading: AbstractContextManager[object]):
        self._measure = MEASURES[label]
        self.values = np.full(images, np.nan)
        self.done = 0
        self.error: str | None = None
        self._reading = reading
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(a, b), daemon=True)  # alone holds both, till it ends
        self._thread.start()

    def stop(self) -> None:
        """Nobody waits for it any more."""
        self._stopped.set()

    def wait(self) -> None:
        """Until it has ended."""
        self._thread.join()

    def _run(self, a: Side, b: Side) -> None:
        while self.done < len(self.values) and not self._stopped.wait(PAUSE):
            rows = np.arange(self.done, min(self.done + STEP, len(self.values)))
            try:
                with self._reading:
                    self.values[rows] = diff.agreement(self._measure, a, b, rows)
            except UserError as error:
                self.error = str(error)
                return
            self.done += len(rows)
