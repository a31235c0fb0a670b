"""What all figures share: a look, and a way onto the page that carries alt text.

The figures of a lesson `NN_some_name` are in `figures/some_name.py`. Each function there returns
a `Picture`; none computes what an exercise asks for. Matplotlib is imported by the first of them:
it takes a third of a second, which a page's first cell, and a grader, would wait for.
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Colours that stay apart for colour-blind readers (Okabe and Ito, 2008).
BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
SKY, PURPLE, YELLOW, GREY = "#56B4E9", "#CC79A7", "#F0E442", "#767676"
CYCLE = (BLUE, RED, GREEN, PURPLE, ORANGE, SKY)

LOOK = {
    "font.size": 10.5,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.labelcolor": "#222222",
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "figure.facecolor": "white",
    "svg.hashsalt": "labsupport",
}
SHARP = 2  # pixels of the image per pixel of the page


@dataclass(frozen=True)
class Picture:
    """A figure and the sentence that says what it shows to someone who cannot see it."""

    figure: Figure
    alt: str

    def html(self) -> str:
        """An <img> element with the picture inside it and its alt text."""
        from matplotlib import rc_context

        buffer = io.BytesIO()
        with rc_context(LOOK):
            self.figure.savefig(buffer, format="png", dpi=72 * SHARP, metadata={"Software": None})
        width = round(self.figure.get_figwidth() * 72 * 1.25)
        data = base64.b64encode(buffer.getvalue()).decode()
        return (
            f'<img src="data:image/png;base64,{data}" alt="{escape(self.alt)}" '
            f'style="max-width: 100%; width: {width}px">'
        )

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        return {"text/html": self.html(), "text/plain": f"Figure: {self.alt}"}


def canvas(
    columns: int = 1, rows: int = 1, *, width: float = 7.5, height: float = 3.2, **grid
) -> tuple[Figure, list[Axes]]:
    """A figure in the course's look with its axes in reading order. Sizes in inches."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(LOOK):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False, **grid)
    return figure, list(axes.ravel())
