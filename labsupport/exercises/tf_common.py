"""What the probes of TensorFlow answers share: a fresh graph, a session in it, clear refusals.

A probe opens a `trial`, makes tensors and variables in it, lets the answer build its part of the
graph, and runs that:

    from labsupport.exercises.tf_common import trial

    def probe(answer, inputs):
        with trial() as t:
            x = t.placeholder(inputs["x"], "x")             # is fed with inputs["x"] in every run
            mean = t.variable(inputs["mean"], "mean")       # float32, a resource variable
            training = t.flag("training")                   # False unless a run feeds it
            y = t.build(answer, x, mean, training, name="normalize")
            y = t.fetchable(y, "the normalized tensor")     # refuses None, NumPy, eager tensors
            before = t.state()
            out = t.run(y, {training: True})                # -> NumPy, like Session.run
            trained = t.value(mean)
            changed = t.changed_by(lambda: t.run(y))        # -> () or names of variables
        return {"out": out, "mean": trained, "changes": " and ".join(changed) or "nothing"}

- Every trial is its own graph with its own session: nothing leaks from one case to the next, and
  students' demos in the notebook's graph are out of the way.
- Variables are initialized by themselves before the first run that follows their making, also those
  that the answer makes. A variable whose initial value is another variable's works.
- Errors become sentences: `build` and `run` raise `Unusable` (or an error of the same class with a
  plain message, so that the student's own line is shown) for graphs mixed up, placeholders that
  nobody feeds, variables without a value, NumPy functions and Python's `if` on a tensor, sessions
  that run while the graph is being built, `tf.control_dependencies` without a list.
  Python's `if` alone raises OperatorNotAllowedInGraphError, so that the judge can name it.
  Where a known mistake fails in this way in every case, observe the sentence: `t.attempt(fetch)`
  returns it as an `Odd` value in place of numbers, and values can be compared and named.
- Grappler is off, so that what runs is the graph as it was written.
- `t.slow(value)` is a tensor that takes its time. Feed an update through it, and what does not wait
  for the update reads the old value for certain: a race that is lost every time can be judged.
"""

from __future__ import annotations

import contextlib
import linecache
import re
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from labsupport.exercises import tf_variable
from labsupport.exercises.common import call
from labsupport.observe import NOT_THE_STUDENTS, plain
from labsupport.vocabulary import Elsewhere, Odd, Unusable


@contextlib.contextmanager
def trial(seed: int = 0) -> Iterator[Trial]:
    """A fresh graph, the default one within the block, with its own session."""
    from labsupport.tf1 import tf

    with tf.Graph().as_default() as graph:
        tf.set_random_seed(seed)
        with tf.Session(graph=graph, config=_plainly(tf)) as session:
            yield Trial(tf, graph, session)


def _plainly(tf):
    """Session settings: no rewriting of the graph; enough threads for a race to be a race."""
    config = tf.ConfigProto(
        inter_op_parallelism_threads=4,
        intra_op_parallelism_threads=1,
        use_per_session_threads=True,
        device_count={"GPU": 0},
    )
    config.experimental.disable_thread_spinning = True  # they would only be in each other's way
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    config.graph_options.optimizer_options.opt_level = tf.OptimizerOptions.L0
    return config


class Trial:
    """A graph in which an answer is tried. `tf`, `graph` and `session` may be used directly."""

    def __init__(self, tf, graph, session):
        self.tf, self.graph, self.session = tf, graph, session
        self._fed: dict[Any, Any] = {}
        self._ready: set[str] = set()
        self._own: list[Any] = []
        self.no_gradient = ""  # why `gradients` had none to give

    # ------------------------------------------------------------ what the answer gets

    def placeholder(self, value: Any, name: str, dtype: Any = None, shape: Any = None):
        """A placeholder that every run feeds with `value`, unless it is told otherwise.

        shape: of the placeholder; by default the value's with an open first axis.
        """
        value = np.asarray(value, dtype=dtype or np.float32)
        shape = (None, *value.shape[1:]) if shape is None and value.ndim else shape or ()
        made = self.tf.placeholder(value.dtype, shape, name=name)
        self._fed[made] = value
        return made

    def unfed(self, name: str, shape: Any = (), dtype: Any = np.float32):
        """A placeholder that no run feeds by itself: who needs it, gets a clear refusal."""
        return self.tf.placeholder(dtype, shape, name=name)

    def flag(self, name: str = "training", default: bool = False):
        """A boolean that is `default` unless a run feeds it."""
        return self.tf.placeholder_with_default(default, (), name=name)

    def variable(self, value: Any, name: str, dtype: Any = np.float32, trainable: bool = False):
        """A resource variable with this initial value."""
        made = tf_variable.make(np.asarray(value, dtype=dtype), name, trainable)
        self._own.append(made)
        return made

    def several(self, values: Mapping[str, Any], trainable: Any = ()) -> list[Any]:
        """What `variable` makes of each name and value. trainable: the names of those that are."""
        arrays = {name: np.asarray(value, dtype=np.float32) for name, value in values.items()}
        made = tf_variable.make_all(arrays, trainable)
        self._own += made
        return made

    def slow(self, value: Any, seconds: float = 0.03):
        """A tensor of the same value that is there only after some time."""
        tensor = self.tf.convert_to_tensor(value)

        def wait(number):
            time.sleep(seconds)
            return number

        late = self.tf.numpy_function(wait, [tensor], tensor.dtype, name="slow")
        late.set_shape(tensor.shape)
        return late

    # ------------------------------------------------------------ building

    def build(self, answer: Any, *arguments: Any, name: str, may_run: bool = False) -> Any:
        """Call the answer, which should be a function that builds a part of this graph.

        may_run: and that may run something in a session of its own.
        """
        with building(self.tf, may_run):
            return call(answer, *arguments, name=name)

    def fetchables(self, value: Any, what: str) -> list[Any]:
        """What `run` can fetch in a value and in the lists, tuples and dicts that it is made of.

        what: as in `fetchable`. Raises Unusable for everything else.
        """
        return self._fetchables(value, what, "it returns")

    def _fetchables(self, value: Any, what: str, there: str) -> list[Any]:
        if isinstance(value, Mapping):
            value = list(value.values())
        if not isinstance(value, (list, tuple)):
            return [self.fetchable(value, what, there=there)]
        return [found for one in value for found in self._fetchables(one, what, "in it is")]

    def fetchable(
        self, value: Any, what: str, operations: bool = True, there: str = "it returns"
    ) -> Any:
        """What `run` can fetch: a tensor of this graph, or (if allowed) an operation or variable.

        what: completes "It should return …". there: how the value came. Raises Unusable for
        everything else.
        """
        wanted = f"It should return {what}"
        if isinstance(value, (list, tuple)):
            raise Unusable(f"{wanted}; {there} a {type(value).__name__} of {len(value)}.")
        if value is None:
            raise Unusable(f"{wanted}; {there} None. Is a `return` missing?")
        if isinstance(value, (str, bytes)):
            raise Unusable(f"{wanted}; {there} a string. Return what it names, not the name.")
        if type(value).__name__ == "EagerTensor" or not hasattr(value, "graph"):
            if not _has_value(value):
                raise Unusable(f"{wanted}; {there} {_kind(value)}.")
            raise Unusable(
                f"{wanted}; {there} {_kind(value)}, which has its value already. Something in the "
                "graph is wanted, that gets a value anew in each `session.run`."
            )
        if value.graph is not self.graph:
            raise Unusable(
                f"{wanted}; {there} something from another graph. Use what the function is given, "
                "and make everything else inside the function."
            )
        try:
            element = self.graph.as_graph_element(value)
        except (TypeError, ValueError):
            raise Unusable(f"{wanted}; {there} {_kind(value)}.") from None
        if isinstance(element, self.tf.Operation) and not operations:
            raise Unusable(f"{wanted}; {there} an operation, which has no value.")
        return value

    def gradients(
        self, answer: Any, y: Any, ends: Mapping[str, Any], dy: Any = None
    ) -> dict[str, Any]:
        """Tensors of what reaches each of `ends` if dy (by default 1) reaches y, where any does.

        dy: an array of y's shape.

        An answer may have made operations whose gradients only its own process knows, with
        `tf.custom_gradient`: then it is asked there for the operations that compute them. What
        fails there, or here, is said in `no_gradient`.
        """
        self.no_gradient = ""
        try:
            sent = None if dy is None else self.tf.constant(dy, y.dtype)
            made = zip(ends, self._gradients(answer, y, list(ends.values()), sent), strict=True)
            return {n: self.tf.convert_to_tensor(g) for n, g in made if g is not None}
        except Exception as error:  # in an answer's own gradient, too, anything may happen
            said = error.trouble.text if isinstance(error, Elsewhere) else str(error)
            if "outputs" in said and "does not exist" in said:  # of a call, which it has there
                said = "a tf.custom_gradient and a tf.function are too much at once"
            if "No gradient defined for operation" not in said:
                self.no_gradient = f"not to be had: {said}"[:200].rstrip(".")
            return {}

    def _gradients(self, answer: Any, y: Any, ends: list[Any], dy: Any) -> list[Any]:
        # Not to be tried out: what is built on the way to a failure stays in the graph.
        if hasattr(type(answer), "gradients") and not _has_gradients(y):
            return answer.gradients(y, ends, dy)  # it lives in another process
        return self.tf.gradients(y, ends, dy)

    # ------------------------------------------------------------ running

    def run(self, fetches: Any, feed: Mapping[Any, Any] | None = None) -> Any:
        """`session.run` with the usual feeds and those given. Raises Unusable, with a sentence."""
        self.initialize()
        try:
            return self.session.run(fetches, {**self._fed, **(feed or {})})
        except self.tf.errors.OpError as error:
            raise Unusable(about_running(error)) from None

    def attempt(self, fetches: Any, feed: Mapping[Any, Any] | None = None) -> Any:
        """Like `run`; where that fails, the sentence, as an Odd value."""
        try:
            return self.run(fetches, feed)
        except Unusable as error:
            return Odd(str(error))

    def steps(self, fetches: Any, count: int, feed: Mapping[Any, Any] | None = None) -> list:
        """What `count` runs give, one after another."""
        return [self.run(fetches, feed) for _ in range(count)]

    def initialize(self) -> None:
        """Give every variable that has none yet its initial value."""
        if not self._ready and self._own:
            self.restart()
        fresh = [v for v in self.variables() if v.name not in self._ready]
        if fresh:
            self._ready.update(v.name for v in fresh)
            try:
                self.session.run([v.initializer for v in fresh], self._fed)
            except self.tf.errors.FailedPreconditionError:  # one starts from another
                self._initialize_in_order(fresh)
            except self.tf.errors.OpError as error:
                raise Unusable(about_running(error)) from None

    def restart(self) -> None:
        """Give the variables that `variable` and `several` made their initial values (again)."""
        self._ready.update(v.name for v in self._own)
        self.session.run([v.initializer for v in self._own])

    def _initialize_in_order(self, variables: list) -> None:
        for variable in variables:
            try:
                self.session.run(variable.initializer, self._fed)
            except self.tf.errors.OpError as error:
                raise Unusable(about_running(error)) from None

    # ------------------------------------------------------------ looking

    def variables(self) -> list:
        """All variables of the graph, local ones too, in the order of their making."""
        return [*self.tf.global_variables(), *self.tf.local_variables()]

    def value(self, variable: Any) -> Any:
        """The value that a variable has now; or a list or dict of values for one of variables.

        Runs nothing else, adds nothing to the graph.
        """
        self.initialize()
        return self.session.run(variable)

    def set(self, variable: Any, value: Any) -> None:
        """Give a variable a value."""
        self.set_all([(variable, value)])

    def set_all(self, values: Iterable[tuple[Any, Any]]) -> None:
        """Give variables values, in one run if each has a start value of its own."""
        self.initialize()
        left = list(values)
        while left:
            feed, now, later = {}, [], []
            for variable, value in left:
                start = variable.initializer.inputs[1]
                if start in feed:  # another variable's, too
                    later.append((variable, value))
                    continue
                feed[start] = np.asarray(value, dtype=variable.dtype.base_dtype.as_numpy_dtype)
                now.append(variable.initializer)
            self.session.run(now, feed)
            left = later

    def state(self) -> dict[str, np.ndarray]:
        """The values of all variables by name."""
        self.initialize()
        return self.session.run({variable.name: variable for variable in self.variables()})

    def changed_by(self, do: Callable[[], Any]) -> tuple[str, ...]:
        """Names (without the ":0") of the variables that have other values after `do()`."""
        before = self.state()
        do()
        after = self.state()
        return tuple(
            name.partition(":")[0]
            for name in after
            if not np.array_equal(before.get(name), after[name])
        )


def _has_gradients(y: Any) -> bool:
    """Whether this process knows what gradients of their own the operations before y bring."""
    from tensorflow.python.framework.ops import get_gradient_function

    seen, todo = set(), [y.op]
    while todo:
        op = todo.pop()
        if op in seen:
            continue
        seen.add(op)
        todo += [tensor.op for tensor in op.inputs]
        if "_gradient_op_type" in op.node_def.attr:
            try:
                get_gradient_function(op)
            except LookupError:
                return False
    return True


# ---------------------------------------------------------------- errors, in plain words


@contextlib.contextmanager
def building(tf: Any, may_run: bool = False) -> Iterator[None]:
    """No session for code that builds a graph; its errors in plain words.

    may_run: it may also run something, in a session of its own.
    """
    from tensorflow.python.framework.stack import _default_session_stack as sessions

    before, sessions.stack[:] = [*sessions.stack], []
    try:
        yield
    except Elsewhere:
        raise
    except (AttributeError, NotImplementedError, TypeError, ValueError) as error:
        plain_words = _about_building(error)
        if plain_words is None:
            raise
        kind = type(error)
        if kind not in (AttributeError, TypeError, ValueError) and plain_words != PYTHONS_IF:
            kind = TypeError
        raise kind(plain_words).with_traceback(error.__traceback__) from None
    except tf.errors.OpError as error:
        if may_run:
            raise
        raise RuntimeError(RUNS_TOO_EARLY).with_traceback(error.__traceback__) from None
    finally:
        sessions.stack[:] = before  # an answer may leave one open: tf.InteractiveSession


NO_GRADIENT = "missing, as if y did not depend on it"
PYTHONS_IF = (
    "Python's `if`, `and`, `or` and `not` ask for a value now, and a tensor has none while "
    "the graph is being built."
)
RUNS_TOO_EARLY = (
    "A session runs something here, while the graph is still being built: nothing is fed yet, and "
    "a new session has no values for the variables. Your function should only build."
)


def _about_building(error: Exception) -> str | None:
    """Plain words for an error met while building a graph; None if its own will do."""
    text = str(error)
    if isinstance(error, AttributeError):
        return _about_names(text)
    no_list = "a Tensor or Operation" in text or "not iterable" in text or "Iterating over" in text
    if no_list and "control_dependencies" in _names_on_the_way(error):
        return (
            "`tf.control_dependencies` takes one list of operations: in square brackets even if it "
            "is a single one, and without lists in it."
        )
    if "to a numpy array" in text and "symbolic" in text:
        return (
            "NumPy cannot compute with a tensor: it has no value while the graph is being built. "
            "Use the function of the same name in `tf`."
        )
    if "as a Python `bool`" in text:
        return PYTHONS_IF
    if "Iterating over a symbolic" in text:
        return "A tensor cannot be looped over while the graph is being built: it has no value yet."
    if "No default session" in text:
        return RUNS_TOO_EARLY
    if "not in list of allowed values" in text and "type' has DataType" not in text:
        kind = text.partition("has DataType ")[2].partition(" ")[0]
        return (
            f"Something of type {kind} is given to an operation that does not take this type. "
            "`tf.cast` makes a tensor of another type from a tensor."
        )
    if "same nested structure" in text:
        return (
            "The two functions of `tf.cond` return different things. They should return alike: as "
            "many tensors, nested in the same way."
        )
    if "Shape mismatch" in text and "Cannot assign" in text:
        name = text.partition("variable '")[2].partition(":")[0].strip()
        shapes = re.findall(r"shape (\(.*?\))", text)
        if name and len(shapes) == 2:
            return f"The shape of `{name}` is {shapes[0]}, and that of what you assign {shapes[1]}."
    if "from the same graph" in text or "not an element of this graph" in text:
        return (
            "Something from another graph is used here. Use what the function is given, and make "
            "everything else inside the function."
        )
    return None


def _about_names(text: str) -> str | None:
    part = re.search(r"module 'tensorflow\._api\.v2\.compat\.v1([\w.]*)'.* attribute '(\w+)'", text)
    if part:
        return f"There is no `tf{part[1]}.{part[2]}`."
    if "module 'tensorflow'" in text or "module 'tensorflow._api.v2" in text:
        name = text.rpartition("attribute ")[2].strip("'")
        return (
            f"This `tf` is TensorFlow 2, which has no `{name}`. Has an `import` of yours put it in "
            "the place of the page's `tf`? Run the page's first cell again."
        )
    if "'SymbolicTensor' object has no attribute 'numpy'" in text:
        return "A tensor has no value, and no `.numpy()`, while the graph is being built."
    return None


def _names_on_the_way(error: Exception) -> set[str]:
    """Names of the functions that an error passed through."""
    return {frame.f_code.co_name for frame, _ in traceback.walk_tb(error.__traceback__)}


def about_running(error: Any) -> str:
    """A sentence about an error met while a graph ran, with the student's line if it is known."""
    if isinstance(error, Elsewhere):
        return error.trouble.text
    text = error.message
    name = error.op.name if error.op is not None else ""
    if "must feed a value for placeholder" in text:
        quoted = text.partition("placeholder tensor '")[2].partition("'")[0] or name
        return f"Running this needs a value for the placeholder `{quoted}`, and none is fed here."
    if "uninitialized" in text:
        quoted = text.partition("find variable ")[2].partition(".")[0]
        quoted = quoted or text.partition("uninitialized value ")[2].split("\n")[0].strip()
        return f"The variable `{quoted or name}` is read before it has a value."
    node = text.rpartition("Node: ")[2].partition("\n")[2] or text
    first = next((line.strip() for line in node.splitlines() if line.strip()), text)
    sentence = f"Running it fails: {first[:200].rstrip('.')}."
    line = line_of(error.op)
    return f"{sentence} It is the operation made in `{line}`." if line else sentence


def line_of(operation: Any) -> str:
    """The student's line that made an operation, "" if it is not known."""
    with contextlib.suppress(Exception):
        if hasattr(operation.graph, "line_elsewhere"):  # see grading.prober
            return operation.graph.line_elsewhere(operation.name)
        own = [f for f in operation.traceback if not f[0].startswith(NOT_THE_STUDENTS)]
        if own:
            return linecache.getline(own[-1][0], own[-1][1]).strip()[:120]
    return ""


def _has_value(value: Any) -> bool:
    return type(value).__name__ == "EagerTensor" or not isinstance(plain(value), str)


def _kind(value: Any) -> str:
    if type(value).__name__ == "EagerTensor":
        return "an eager tensor"
    if callable(value):
        return "a function"
    seen = plain(value)
    if isinstance(seen, str):
        return str(seen)
    return "a number" if seen.shape == () else f"an array of shape {seen.shape}"
