"""The picture of a graph: columns of boxes from left to right, or rows where there are many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labsupport.figures import BLUE, GREY, ORANGE, Picture, canvas
from labsupport.graphs import CONTROL, IDLE, MAYBE, RUNS, Box, Sketch

PALE = {BLUE: "#E4F0F8", ORANGE: "#FCEFD6"}
FAINT = "#BDBDBD"
WIDE = 6  # columns that fit beside each other; more are drawn as rows
CORNERS = {
    "variable": "square,pad=0",
    "placeholder": "round,pad=0,rounding_size={half}",
    "folded": "square,pad=0",
}
# In inches; pairs are for rows and for columns.
LETTER, LINE = 0.083, 0.17
GAP, STEP = (0.2, 0.28), (0.32, 0.5)
NARROWEST = 5  # the legend wants that
MARGIN, TAG = 0.12, 0.15  # around everything; above the first box, for "fetched"

Point = tuple[float, float]


def picture(sketch: Sketch, names: Mapping[str, str], title: str = "") -> Picture:
    """Draw a sketch. names: labels to use in place of an operation's name."""
    labels = {name: _label(names.get(name, name)) for name in sketch.boxes}
    sizes = {name: _size(labels[name], box) for name, box in sketch.boxes.items()}
    layout = lay_out(sizes, list(sketch.edges))
    handles = _legend(sketch)
    per_row = _legend_columns(handles, max(layout.width, NARROWEST))
    foot, head = 0.1 + 0.2 * -(-len(handles) // per_row), 0.3 * bool(title)
    width, height = max(layout.width, NARROWEST), layout.height + foot + head
    figure, (axes,) = canvas(width=width, height=height)
    figure.set_layout_engine("none")
    axes.set_position((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(-layout.height - foot, head))
    axes.set_axis_off()
    for edge, kind in sketch.edges.items():
        _draw_edge(axes, sketch, edge, kind, layout, sizes)
    for name, box in sketch.boxes.items():
        _draw_box(axes, layout.spots[name], sizes[name], labels[name], box, layout.across)
    if title:
        axes.text(0.1, head - 0.05, title, fontsize=11, va="top")
    figure.legend(
        handles=handles,
        loc="lower left",
        ncols=per_row,
        fontsize=8,
        frameon=False,
        handlelength=1.6,
        columnspacing=1.0,
        borderaxespad=0.2,
    )
    return Picture(figure, _words(sketch, {name: "".join(label) for name, label in labels.items()}))


def _label(name: str) -> list[str]:
    """A name over as few lines as it takes to stay narrow, broken after slashes."""
    lines = [""]
    for part in name.replace("/", "/\0").split("\0"):
        if lines[-1] and len(lines[-1]) + len(part) > 18:
            lines.append("")
        lines[-1] += part
    return lines


def _size(label: Sequence[str], box: Box) -> Point:
    longest = max(LETTER * 1.08 * max(map(len, label)), LETTER * 0.86 * len(box.word))
    return max(0.7, longest + 0.22), LINE * (len(label) + 1) + 0.12


# ---------------------------------------------------------------- where everything goes


@dataclass(frozen=True)
class Layout:
    """Where everything is, in inches from the upper left corner (downwards is negative).

    spots: centre of every box and of every stop that an edge makes in a column it crosses.
    chains: the stops of every edge, its ends included.
    deep: the extent of each column's deepest box. across: columns stand side by side.
    """

    spots: Mapping[Any, Point]
    columns: Mapping[Any, int]
    chains: Mapping[tuple[str, str], list]
    deep: Sequence[float]
    across: bool
    width: float
    height: float


def lay_out(sizes: Mapping[str, Point], edges: Sequence[tuple[str, str]]) -> Layout:
    """Place boxes of these sizes, in Sugiyama's way.

    Columns by longest path, a stop in every column that an edge crosses, the order in each column
    by the mean place of the neighbours. Many columns are laid out as rows instead.
    """
    columns = _columns(list(sizes), edges)
    chains: dict[tuple[str, str], list] = {}
    for one, other in edges:
        low, high = columns[one], columns[other]
        step = 1 if high >= low else -1
        stops = [(one, other, column) for column in range(low + step, high, step)]
        columns.update({stop: stop[2] for stop in stops})
        chains[one, other] = [one, *stops, other]
    links = [link for chain in chains.values() for link in zip(chain, chain[1:], strict=False)]
    order = _order(columns, links)
    across = len(order) <= WIDE
    room = {item: sizes[item][across] if item in sizes else 0.0 for item in columns}
    places = _places(order, links, {item: extent + GAP[across] for item, extent in room.items()})
    low = min((places[item] - room[item] / 2 for item in places), default=0)
    span = max((places[item] + room[item] / 2 for item in places), default=0) - low

    deep = [max(sizes[i][not across] for i in column if i in sizes) for column in order]
    starts = [MARGIN + sum(deep[:k]) + STEP[across] * k for k in range(len(order))]
    depth = (starts[-1] + deep[-1] if deep else 0) + MARGIN
    spots = {}
    for item, column in columns.items():
        along, beside = starts[column] + deep[column] / 2, places[item] - low + MARGIN
        spots[item] = (along, -beside - TAG) if across else (beside, -along - TAG)
    width, height = (depth, span + 2 * MARGIN) if across else (span + 2 * MARGIN, depth)
    return Layout(spots, columns, chains, deep, across, width, height + TAG)


def _columns(names: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict:
    """Longest path from a source; sources stand next to their first user."""
    users: dict[str, list[str]] = {name: [] for name in names}
    for one, other in edges:
        users[one].append(other)
    columns, state = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
    forward, topological = [], []

    def visit(name: str) -> None:
        stack = [(name, iter(users[name]))]
        state[name] = 1
        while stack:
            current, rest = stack[-1]
            other = next(rest, None)
            if other is None:
                state[current] = 2
                topological.append(current)
                stack.pop()
            elif state[other] != 1:  # an edge back, of folded boxes, does not count
                forward.append((current, other))
                if state[other] == 0:
                    state[other] = 1
                    stack.append((other, iter(users[other])))

    for name in names:
        if state[name] == 0:
            visit(name)
    ahead: dict[str, list[str]] = {name: [] for name in names}
    for one, other in forward:
        ahead[one].append(other)
    for name in reversed(topological):
        for other in ahead[name]:
            columns[other] = max(columns[other], columns[name] + 1)
    entered = {other for _, other in forward}
    for name in names:
        if name not in entered and ahead[name]:
            columns[name] = min(columns[other] for other in ahead[name]) - 1
    return columns


def _order(columns: Mapping, links: Sequence[tuple]) -> list[list]:
    """The boxes and stops of each column from first to last, with few crossings."""
    count = max(columns.values(), default=-1) + 1
    order: list[list] = [[] for _ in range(count)]
    for item, column in columns.items():
        order[column].append(item)
    best, fewest = [list(column) for column in order], _crossings(columns, order, links)
    before, after = _neighbours(links)
    for sweep in range(12):
        rows = range(count) if sweep % 2 == 0 else range(count - 1, -1, -1)
        near = before if sweep % 2 == 0 else after
        for row in rows:
            place = {item: i for column in order for i, item in enumerate(column)}

            def mean(item, near=near, place=place):
                around = [place[other] for other in near.get(item, ())]
                return sum(around) / len(around) if around else place[item]

            order[row].sort(key=mean)
        crossings = _crossings(columns, order, links)
        if crossings < fewest:
            best, fewest = [list(column) for column in order], crossings
    return best


def _neighbours(links: Sequence[tuple]) -> tuple[dict, dict]:
    before: dict = {}
    after: dict = {}
    for one, other in links:
        after.setdefault(one, []).append(other)
        before.setdefault(other, []).append(one)
    return before, after


def _crossings(columns: Mapping, order: Sequence[list], links: Sequence[tuple]) -> int:
    place = {item: i for column in order for i, item in enumerate(column)}
    ends = [(columns[one], place[one], place[other]) for one, other in links]
    return sum(
        a[0] == b[0] and (a[1] - b[1]) * (a[2] - b[2]) < 0
        for i, a in enumerate(ends)
        for b in ends[:i]
    )


def _places(order: Sequence[list], links: Sequence[tuple], room: Mapping) -> dict:
    """Places within the columns: near the neighbours, and with room between them."""
    offsets = {}
    for column in order:
        offset = 0.0
        for last, item in zip([None, *column], column, strict=False):
            offset += (room[last] + room[item]) / 2 if last is not None else 0.0
            offsets[item] = offset
    place = {i: offsets[i] - offsets[column[-1]] / 2 for column in order for i in column}
    before, after = _neighbours(links)
    for sweep in range(20):
        near = after if sweep % 2 else before
        for column in order:
            wanted = []
            for item in column:
                around = [place[other] for other in near.get(item, ())]
                middle = sum(around) / len(around) if around else place[item]
                wanted.append(middle - offsets[item])
            for item, value in zip(column, _rising(wanted), strict=True):
                place[item] = value + offsets[item]
    return place


def _rising(wanted: Sequence[float]) -> list[float]:
    """The nearest numbers, in least squares, of which none is smaller than the one before."""
    pools: list[list[float]] = []
    for value in wanted:
        pools.append([value, 1])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            value, weight = pools.pop()
            other, others = pools[-1]
            total = weight + others
            pools[-1] = [(value * weight + other * others) / total, total]
    return [value for value, weight in pools for _ in range(int(weight))]


# ---------------------------------------------------------------- ink


def _colour(box: Box) -> str:
    if box.state == IDLE:
        return FAINT
    return ORANGE if box.updates else BLUE


def _draw_box(
    axes, centre: Point, size: Point, label: Sequence[str], box: Box, across: bool
) -> None:
    from matplotlib.patches import FancyBboxPatch

    (x, y), (w, h) = centre, size
    colour = _colour(box)
    style = CORNERS.get(box.kind, "round,pad=0,rounding_size=0.1").format(half=h / 2)
    look = dict(facecolor=PALE.get(colour, "white"), edgecolor=colour, zorder=3)
    look["linewidth"] = 2.6 if box.fetched else 1.3
    look["linestyle"] = (0, (2, 1.5)) if box.state == MAYBE else "solid"
    axes.add_patch(FancyBboxPatch((x - w / 2, y - h / 2), w, h, boxstyle=style, **look))
    if box.kind == "variable":
        inner = {**look, "facecolor": "none", "linewidth": 0.8}
        axes.add_patch(
            FancyBboxPatch(
                (x - w / 2 + 0.04, y - h / 2 + 0.04), w - 0.08, h - 0.08, boxstyle=style, **inner
            )
        )
    ink = GREY if box.state == IDLE else "black"
    rows = len(label) + 1
    for i, text in enumerate([*label, box.word]):
        place = y + (rows / 2 - i - 0.5) * LINE
        look = dict(fontsize=8, color=GREY) if i == rows - 1 else dict(fontsize=9.5, color=ink)
        axes.text(x, place, text, ha="center", va="center", zorder=4, **look)
    if box.fetched:
        look = dict(fontsize=8, color=BLUE, fontweight="bold", zorder=4)
        if across:
            axes.text(x, y + h / 2 + 0.05, "fetched", ha="center", va="bottom", **look)
        else:
            axes.text(x + w / 2 + 0.06, y, "fetched", ha="left", va="center", **look)


def _draw_edge(axes, sketch: Sketch, edge, kind: str, layout: Layout, sizes: Mapping) -> None:
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    one, other = edge
    forward = 1 if layout.columns[other] >= layout.columns[one] else -1
    points = []  # as (along, beside); an edge is straight within a column and bends between two
    for stop in layout.chains[edge]:
        x, y = layout.spots[stop]
        along, beside = (x, y) if layout.across else (-y, x)
        half = layout.deep[layout.columns[stop]] / 2
        if stop in sizes:
            half = sizes[stop][not layout.across] / 2 + (0.02 if stop == other else 0)
        points += [(along - forward * half, beside), (along + forward * half, beside)]
    points = points[1:-1]
    vertices, codes = [points[0]], [Path.MOVETO]
    for i, ((a1, b1), (a2, b2)) in enumerate(zip(points, points[1:], strict=False)):
        straight = i % 2 == 1
        bend = [] if straight else [((a1 + a2) / 2, b1), ((a1 + a2) / 2, b2)]
        vertices += [*bend, (a2, b2)]
        codes += [Path.LINETO] if straight else [Path.CURVE4] * 3
    if not layout.across:
        vertices = [(beside, -along) for along, beside in vertices]
    used = sketch.boxes[one].state != IDLE and sketch.boxes[other].state != IDLE
    axes.add_patch(
        FancyArrowPatch(
            path=Path(vertices, codes),
            arrowstyle="-|>,head_width=3,head_length=5",
            color=BLUE if used else FAINT,
            linewidth=1.6 if used else 1.1,
            linestyle=(0, (4, 2)) if kind == CONTROL else "solid",
            zorder=2 if used else 1,
            capstyle="butt",
        )
    )


def _legend(sketch: Sketch) -> list:
    """What the colours and lines of this picture mean."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    boxes, handles = sketch.boxes.values(), []

    def entry(condition, label, face, edge, line="solid"):
        if any(condition(box) for box in boxes):
            look = dict(facecolor=face, edgecolor=edge, linestyle=line)
            handles.append(Patch(label=label, **look))

    entry(lambda b: b.state != IDLE and not b.updates, RUNS, PALE[BLUE], BLUE)
    entry(lambda b: b.state != IDLE and b.updates, "changes a variable", PALE[ORANGE], ORANGE)
    entry(lambda b: b.state == MAYBE, MAYBE, "white", GREY, ":")
    entry(lambda b: b.state == IDLE, IDLE, "white", FAINT)
    if CONTROL in sketch.edges.values():
        handles.append(Line2D([], [], color=GREY, label="data"))
        handles.append(Line2D([], [], color=GREY, linestyle=(0, (2.6, 1.3)), label="control"))
    return handles


def _legend_columns(handles: Sequence, width: float) -> int:
    """How many entries of a legend fit beside each other."""
    widths = [0.066 * len(handle.get_label()) + 0.37 for handle in handles] or [1]
    return len(handles) if sum(widths) < width else max(1, int(width / max(widths)))


# ---------------------------------------------------------------- words


def _words(sketch: Sketch, labels: Mapping[str, str]) -> str:
    """What the picture shows, for someone who cannot see it."""
    boxes = sketch.boxes
    sentences = [f"Fetched: {_list([labels[n] for n, b in boxes.items() if b.fetched])}."]
    for state, words in ((RUNS, "Runs"), (MAYBE, "May run"), (IDLE, "Does not run")):
        chosen = [labels[n] for n, b in boxes.items() if b.state == state]
        if chosen or state == IDLE:
            sentences.append(f"{words}: {_list(chosen)}.")
    waits = [
        f"{labels[other]} after {labels[one]}"
        for (one, other), kind in sketch.edges.items()
        if kind == CONTROL
    ]
    if waits:
        sentences.append(f"Control edges: {_list(waits)}.")
    return f"Graph of {len(boxes)} operations. {' '.join(sentences)}"


def _list(words: Sequence[str], most: int = 16) -> str:
    if len(words) > most:
        return f"{', '.join(words[:most])} and {len(words) - most} more"
    return ", ".join(words) or "nothing"
