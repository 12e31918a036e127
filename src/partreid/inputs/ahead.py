"""Items made ready by a thread of this process while the caller works with those before."""

import queue
import threading
from collections.abc import Generator, Iterable
from typing import TypeVar

T = TypeVar("T")
AHEAD = 3  # items that wait, at most


def ahead(items: Iterable[T]) -> Generator[T, None, None]:
    """The items, made by a thread while the caller works with the ones before. An error is raised where it stands.

    Close it (contextlib.closing) to end the thread before the items end.
    """
    line: queue.Queue[tuple[str, T | Exception | None]] = queue.Queue(AHEAD)
    ended = threading.Event()

    def put(kind: str, item: T | Exception | None) -> bool:
        while not ended.is_set():
            try:
                line.put((kind, item), timeout=0.2)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for item in items:
                if not put("item", item):
                    return
        except Exception as error:
            put("error", error)
        else:
            put("end", None)

    thread = threading.Thread(target=work, name="feed", daemon=True)
    thread.start()
    try:
        while True:
            kind, item = line.get()
            if kind == "end":
                return
            if isinstance(item, Exception):
                raise item
            yield item  # type: ignore[misc]
    finally:
        ended.set()
        thread.join()
