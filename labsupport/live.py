"""What moves while a cell runs: a picture that is redrawn in place, and a progress bar."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from labsupport.figures import Picture

T = TypeVar("T")


class LivePicture:
    """One place on the page; each `show` replaces what is there.

    What stays in the saved notebook is the last picture shown.
    """

    def __init__(self):
        self._handle = None

    def show(self, picture: Picture) -> None:
        from IPython.display import display

        if self._handle is None:
            self._handle = display(picture, display_id=True)
        else:
            self._handle.update(picture)


def bar(steps: Iterable[T], label: str = "") -> Iterator[T]:
    """Go through `steps` under a progress bar, which goes away at the end."""
    from tqdm.auto import tqdm

    yield from tqdm(steps, desc=label, leave=False)
