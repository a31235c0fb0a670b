"""Pictures of TensorFlow graphs that show what a `session.run` would run.

    from labsupport.graphs import draw

    draw(add)                              # what fetching `add` runs, and what it does not
    draw([loss, train], feed={training: False})
    draw(add, show_all=True)               # TensorFlow's plumbing too

The graph is read from its GraphDef. An operation runs if the fetch needs it: if a chain of data
edges (solid) or control edges (dashed) leads from it to what is fetched. With `tf.cond`, one of two
branches runs; `feed` says which, as it would in `session.run`.

To keep a small graph small, `draw` leaves out what TensorFlow adds by itself: reads of variables
and constants are drawn as part of the operation that uses them (with the control edges that lead
to them), initializers and the wiring of `tf.cond` are not drawn unless they are fetched.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from labsupport.figures import Picture

DATA, CONTROL = "data", "control"
RUNS, MAYBE, IDLE = "runs", "runs in one branch of a cond", "does not run"

#: What a node is drawn as, and the word beneath its name, by type of operation.
VARIABLES = {"VarHandleOp", "VariableV2", "Variable"}
PLACEHOLDERS = {"Placeholder", "PlaceholderWithDefault"}
WORDS = {
    **dict.fromkeys(VARIABLES, "variable"),
    "Placeholder": "placeholder",
    "PlaceholderWithDefault": "placeholder",
    "AssignVariableOp": "assign",
    "AssignAddVariableOp": "assign_add",
    "AssignSubVariableOp": "assign_sub",
    "Assign": "assign",
    "AssignAdd": "assign_add",
    "AssignSub": "assign_sub",
    "Merge": "cond",
    "NoOp": "group",
    "Const": "constant",
    "AddV2": "add",
    "Mul": "multiply",
    "Sub": "subtract",
    "RealDiv": "divide",
}
_OF_A_VARIABLE = (
    "/Initializer/",
    "/IsInitialized/",
    "/Assign",
    "/initial_value",
    "/Read/",
    "/read",
)
_OF_A_COND = re.compile(r"(.*/)?(switch_t|switch_f|pred_id|Switch(_\d+)?)$")


@dataclass(frozen=True)
class Node:
    """One operation of a GraphDef. Inputs are (name, output number) and, for control, names."""

    name: str
    type: str
    data: tuple[tuple[str, int], ...]
    control: tuple[str, ...]
    value: str = ""

    @property
    def inputs(self) -> tuple[str, ...]:
        return (*(name for name, _ in self.data), *self.control)

    @property
    def updates(self) -> bool:
        """Whether running it changes a variable."""
        return self.type.startswith("Assign") or self.type.startswith(("ResourceApply", "Apply"))


# ---------------------------------------------------------------- what a fetch runs


def runs(fetches: Any, graph: Any = None, feed: Mapping[Any, bool] | None = None) -> set[str]:
    """Names of the operations that `session.run(fetches, feed)` would run.

    feed: values of the booleans that `tf.cond` asks for; operations in a branch whose boolean is
    not given are counted as running.
    """
    nodes = read(graph, fetches)
    dead = _dead(nodes, _named_feed(feed))
    return {name for name in _needed(nodes, _targets(fetches)) if name not in dead}


def ran(session: Any, fetches: Any, feed: Mapping[Any, Any] | None = None) -> set[str]:
    """Names of the operations that did run in one `session.run`, by TensorFlow's own record."""
    from labsupport.tf1 import tf

    record = tf.RunMetadata()
    options = tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE)
    session.run(fetches, feed, options=options, run_metadata=record)
    there = {operation.name for operation in session.graph.get_operations()}
    stats = record.step_stats.dev_stats
    return {node.node_name for device in stats for node in device.node_stats} & there


def read(graph: Any = None, fetches: Any = ()) -> dict[str, Node]:
    """The operations of a graph (by default, the fetches' own) in the order of their making."""
    if graph is None:
        first = next(iter(_flat(fetches)), None)
        if not hasattr(first, "graph"):
            raise TypeError("Fetch tensors or operations, or say which graph they are in.")
        graph = first.graph
    nodes = {}
    for node in graph.as_graph_def().node:
        data, control = [], []
        for name in node.input:
            if name.startswith("^"):
                control.append(name[1:])
            else:
                source, _, output = name.partition(":")
                data.append((source, int(output or 0)))
        nodes[node.name] = Node(node.name, node.op, tuple(data), tuple(control), _scalar(node))
    return nodes


def _scalar(node: Any) -> str:
    """The value of a constant that is one number, "" for all else."""
    if node.op != "Const":
        return ""
    from tensorflow import make_ndarray

    tensor = node.attr["value"].tensor
    if tensor.tensor_shape.dim or len(tensor.tensor_content) > 16:
        return ""
    value = make_ndarray(tensor)
    return f"{value:g}" if value.dtype.kind in "iuf" else ""


def _flat(fetches: Any) -> Iterable[Any]:
    if isinstance(fetches, Mapping):
        fetches = list(fetches.values())
    if isinstance(fetches, (list, tuple)):
        for fetch in fetches:
            yield from _flat(fetch)
    else:
        yield fetches


def _targets(fetches: Any) -> list[str]:
    """Names of the operations that a fetch names."""
    found = []
    for fetch in _flat(fetches):
        if isinstance(fetch, str):
            found.append(fetch.partition(":")[0])
        elif hasattr(fetch, "_as_graph_element"):  # a variable: fetching it reads it
            found.append(fetch._as_graph_element().op.name)
        else:
            found.append(getattr(fetch, "op", fetch).name)
    return list(dict.fromkeys(found))


def _needed(nodes: Mapping[str, Node], targets: Iterable[str]) -> set[str]:
    found, todo = set(), list(targets)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo.extend(nodes[name].inputs)
    return found


def _named_feed(feed: Mapping[Any, Any] | None) -> dict[str, bool]:
    return {_targets(key)[0]: bool(value) for key, value in (feed or {}).items()}


def _dead(nodes: Mapping[str, Node], fed: Mapping[str, bool]) -> set[str]:
    """Operations in branches of a cond that are not taken. They are handed nothing, so cannot run.

    A Switch has two outputs, 0 if its boolean is false and 1 if it is true. What needs an output
    that is not there is dead, and so is what needs that. A Merge takes whichever input is there.
    """
    dead: set[str] = set()
    for node in nodes.values():  # inputs are made before what uses them
        if node.type == "Merge":
            if node.data and all(_is_dead(nodes, fed, dead, edge) for edge in node.data):
                dead.add(node.name)
        elif any(_is_dead(nodes, fed, dead, edge) for edge in node.data) or any(
            name in dead for name in node.control
        ):
            dead.add(node.name)
    return dead


def _is_dead(nodes, fed, dead, edge: tuple[str, int]) -> bool:
    source, output = edge
    if source in dead:
        return True
    if nodes[source].type != "Switch":
        return False
    taken = _boolean(nodes, fed, nodes[source].data[1][0])
    return taken is not None and output != int(taken)


def _boolean(nodes, fed, name: str) -> bool | None:
    """The value of a boolean, as far as the feed tells."""
    while name not in fed and nodes[name].type in ("Identity", "Switch") and nodes[name].data:
        name = nodes[name].data[0][0]
    return fed.get(name)


def _conditional(nodes: Mapping[str, Node]) -> set[str]:
    """Operations of which it depends on some boolean whether they run."""
    found: set[str] = set()
    for node in nodes.values():
        if node.type == "Merge":
            continue
        from_switch = any(nodes[source].type == "Switch" for source, _ in node.data)
        if from_switch or any(source in found for source in node.inputs):
            found.add(node.name)
    return found


# ---------------------------------------------------------------- a smaller graph


@dataclass
class Box:
    """What is drawn for one operation, or for several that are drawn as one."""

    name: str
    kind: str  # "operation", "variable", "placeholder" or "folded"
    word: str
    state: str = IDLE
    updates: bool = False  # whether it changes a variable when it runs
    fetched: bool = False


@dataclass
class Sketch:
    """The boxes of a picture and the edges between them, (from, to) -> DATA or CONTROL."""

    boxes: dict[str, Box] = field(default_factory=dict)
    edges: dict[tuple[str, str], str] = field(default_factory=dict)


def sketch(
    fetches: Any,
    graph: Any = None,
    *,
    feed: Mapping[Any, bool] | None = None,
    hide: Sequence[str] = (),
    fold: Sequence[str] = ("gradients*",),
    show_all: bool = False,
) -> Sketch:
    """What `draw` draws: boxes with their states, and edges. See `draw` for the arguments."""
    nodes = read(graph, fetches)
    targets = _targets(fetches)
    needed, dead = _needed(nodes, targets), _dead(nodes, _named_feed(feed))
    maybe = _conditional(nodes) if feed is None else set()
    dropped = set() if show_all else _initializers(nodes, needed)
    see_through = {n for n in nodes if _matches(n, hide)}
    if not show_all:
        see_through |= _plumbing(nodes, dropped)
    targets = [_stand_in(nodes, name, see_through) for name in targets]
    see_through -= set(targets)

    owner = {name: _fold_of(name, fold) for name in nodes}
    found = Sketch()
    for name, node in nodes.items():
        if name in dropped or name in see_through:
            continue
        box = found.boxes.setdefault(owner[name], _box(owner[name], node, show_all))
        if name in needed and name not in dead:
            box.state = MAYBE if name in maybe and box.state != RUNS else RUNS
            box.updates = box.updates or node.updates
        box.fetched = box.fetched or name in targets
    for name in nodes:
        if name in dropped or name in see_through:
            continue
        for source, kind in _sources(nodes, name, see_through):
            edge = (owner[source], owner[name])
            if source not in dropped and edge[0] != edge[1] and found.edges.get(edge) != DATA:
                found.edges[edge] = kind
        _add_values(found.boxes[owner[name]], nodes, name, see_through)
    return found


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, p) or name.startswith(f"{p}/") for p in patterns)


def _fold_of(name: str, fold: Sequence[str]) -> str:
    """The outermost scope of a name that a pattern in `fold` fits, or the name itself."""
    parts = name.split("/")
    scopes = ("/".join(parts[:i]) for i in range(1, len(parts)))
    return next((s for s in scopes if any(fnmatchcase(s, pattern) for pattern in fold)), name)


def _box(name: str, node: Node, show_all: bool) -> Box:
    if name != node.name:
        return Box(name, "folded", "several operations")
    word = node.type if show_all else WORDS.get(node.type, node.type)
    if node.type in VARIABLES:
        return Box(name, "variable", word)
    if node.type in PLACEHOLDERS:
        return Box(name, "placeholder", word)
    return Box(name, "operation", word)


def _initializers(nodes: Mapping[str, Node], needed: set[str]) -> set[str]:
    """What only initializes variables, or saves them, and is not needed by the fetch."""
    variables = [node.name for node in nodes.values() if node.type in VARIABLES]
    found = {
        name
        for name in nodes
        if name not in needed
        and (
            name.startswith("save/")
            or any(name.startswith(f"{v}{end}") for v in variables for end in _OF_A_VARIABLE)
        )
    }
    users = defaultdict(set)
    for node in nodes.values():
        for source in node.inputs:
            users[source].add(node.name)
    for node in reversed(list(nodes.values())):  # what leads to nothing but initializers
        only = bool(users[node.name]) and users[node.name] <= found
        if only and node.name not in needed and node.type not in VARIABLES:
            found.add(node.name)
    for node in nodes.values():  # and groups of them
        if node.type == "NoOp" and node.name not in needed and set(node.control) <= found:
            found.add(node.name)
    return found


def _plumbing(nodes: Mapping[str, Node], dropped: set[str]) -> set[str]:
    """What is drawn as part of whatever uses it."""
    users = defaultdict(set)
    for node in nodes.values():
        if node.name not in dropped:
            for source in node.inputs:
                users[source].add(node.name)
    found = set()
    for node in nodes.values():
        name, type_ = node.name, node.type
        if type_ in ("ReadVariableOp", "Switch") or _OF_A_COND.match(name):
            found.add(name)
        elif type_ == "Identity" and node.data:
            source = nodes[node.data[0][0]]
            into_merge = [user for user in users[name] if nodes[user].type == "Merge"]
            scope = name.rpartition("/")[0]
            wrapped = into_merge and into_merge[0].rpartition("/")[0] == scope
            nameless = re.fullmatch(r"Identity(_\d+)?", name.rpartition("/")[2])
            if name == f"{source.name}/read" or (wrapped and nameless):
                found.add(name)
        elif type_ == "Const" and users[name]:
            inside = all(name.startswith(f"{user}/") for user in users[name])
            nameless = re.fullmatch(r"(.*/)?Const(_\d+)?", name)
            stored = all(nodes[user].updates for user in users[name])
            if inside or (nameless and stored):
                found.add(name)
    return found


def _stand_in(nodes: Mapping[str, Node], name: str, see_through: set[str]) -> str:
    """The box that a fetched read is drawn as: the update that it follows, or its variable."""
    node = nodes[name]
    if name in see_through and node.type == "ReadVariableOp":
        after = [n for n in node.control if nodes[n].updates]
        if after:
            return after[-1]
        source = node.data[0][0]
        while nodes[source].type == "Switch":
            source = nodes[source].data[0][0]
        return source
    return name


def _sources(nodes: Mapping[str, Node], name: str, see_through: set[str]) -> Iterable:
    """The operations whose edges lead to this one, looking through what is not drawn."""
    todo = [(source, DATA) for source, _ in nodes[name].data]
    todo += [(source, CONTROL) for source in nodes[name].control]
    seen = set()
    while todo:
        source, kind = todo.pop()
        if (source, kind) in seen:
            continue
        seen.add((source, kind))
        if source not in see_through:
            yield source, kind
            continue
        switch = nodes[source].type == "Switch"  # its second input is what decides
        for i, (other, _) in enumerate(nodes[source].data):
            todo.append((other, CONTROL if switch and i else kind))
        todo += [(other, CONTROL) for other in nodes[source].control]


def _add_values(box: Box, nodes: Mapping[str, Node], name: str, see_through: set[str]) -> None:
    """Put the constants that an operation uses beside the word beneath its name."""
    values = [nodes[s].value for s, _ in nodes[name].data if s in see_through and nodes[s].value]
    if box.name == name and values:
        box.word = f"{box.word} {', '.join(values)}"


# ---------------------------------------------------------------- drawing


def draw(
    fetches: Any,
    graph: Any = None,
    *,
    feed: Mapping[Any, bool] | None = None,
    hide: Sequence[str] = (),
    fold: Sequence[str] = ("gradients*",),
    names: Mapping[str, str] | None = None,
    show_all: bool = False,
    title: str = "",
) -> Picture:
    """A picture of the graph, with what `session.run(fetches, feed)` runs in colour.

    fetches: as for `session.run`: tensors, operations, variables, or a list of them.
    graph: the fetches' own by default; needed where they are given by name.
    feed: values for the booleans of `tf.cond`. Without, both branches are marked as possible.
    hide: names, patterns or scopes that are not drawn; edges lead through them.
    fold: scopes, or patterns of scopes, that are drawn as one box each.
    names: labels to use in place of an operation's name.
    show_all: draw everything that is in the GraphDef, under its own type.
    """
    from labsupport.figures.graphs import picture

    found = sketch(fetches, graph, feed=feed, hide=hide, fold=fold, show_all=show_all)
    return picture(found, names or {}, title)
