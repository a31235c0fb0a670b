"""Controls that a reader moves: sliders and choices above a figure that follows them."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

from labsupport.figures import Picture


def slider(value: float, low: float, high: float, step: float, label: str):
    """A slider for a number; whole numbers if `value` and `step` are ints."""
    import ipywidgets

    whole = isinstance(value, int) and isinstance(step, int)
    make = ipywidgets.IntSlider if whole else ipywidgets.FloatSlider
    return make(value=value, min=low, max=high, step=step, **_looks(label))


def log_slider(value: float, low: int, high: int, label: str):
    """A slider over powers of ten, from 10**low to 10**high."""
    import ipywidgets

    return ipywidgets.FloatLogSlider(
        value=value, min=low, max=high, step=0.25, readout_format=".1e", **_looks(label)
    )


def choice(options, label: str, value: Any = None):
    """Buttons of which one is pressed; `options` as a list or a dict of labels to values."""
    import ipywidgets

    given = {} if value is None else {"value": value}
    style = {"description_width": "initial", "button_width": "auto"}
    return ipywidgets.ToggleButtons(
        options=options, description=label, tooltip=label, style=style, **given
    )


def tick(value: bool, label: str):
    """A box to tick."""
    import ipywidgets

    return ipywidgets.Checkbox(value=value, description=label, indent=False)


def _looks(label: str) -> dict[str, Any]:
    import ipywidgets

    layout = ipywidgets.Layout(width="26rem")
    return dict(description=label, style={"description_width": "9rem"}, layout=layout)


class Explorer:
    """Controls and the picture that `draw` makes of their values.

    Shown in a page without a kernel, it is the picture at the starting values.
    """

    def __init__(self, draw: Callable[..., Picture], controls: dict[str, Any]):
        self.draw = draw
        self.controls = controls
        self.picture = draw(**{name: control.value for name, control in controls.items()})
        self._box = None

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, Any]:
        resting = f'<div class="ls-at-rest">{self.picture.html()}</div>'
        text = f"Move the controls: {', '.join(c.description for c in self.controls.values())}. "
        bundle = {"text/html": resting, "text/plain": f"{text}Figure: {self.picture.alt}"}
        live = self.box()._repr_mimebundle_()
        kind = "application/vnd.jupyter.widget-view+json"
        return {**bundle, kind: live[kind]} if kind in live else bundle

    def box(self):
        """The ipywidgets box: controls above, picture below."""
        if self._box is None:
            import ipywidgets

            page = ipywidgets.HTML(self.picture.html())

            def redraw(_change):
                page.value = self._html()

            for control in self.controls.values():
                control.observe(redraw, names="value")
            self._box = ipywidgets.VBox([*self.controls.values(), page])
        return self._box

    def _html(self) -> str:
        try:
            return self.draw(**{name: c.value for name, c in self.controls.items()}).html()
        except Exception as error:  # the reader's own function may be the one that fails
            return f"<pre>{escape(type(error).__name__)}: {escape(str(error))}</pre>"


def explore(draw: Callable[..., Picture], **controls) -> Explorer:
    """Show `draw(**values)` under the controls, redrawn whenever one of them moves."""
    return Explorer(draw, controls)
