"""Known answers to `cd-watch`: wrong ones with their questions, and right ones."""

import os
import tempfile

from labsupport.authoring.catalogue import mistake, variant
from labsupport.tf1 import tf


@mistake(
    "in-one-run",
    "You fetch the variable together with what moves it, and things fetched together have no order",
    "Which happens first in `session.run([fetch, variable])`? Who says so?",
    see="tensorflow/tensorflow#13133",
)
def in_one_run(session, fetch, variable):
    before = session.run(variable)
    _, after = session.run([fetch, variable])
    return after - before


@mistake(
    "old-value-in-one-run",
    "You read the old value in the same run as `fetch`, which may have moved it already",
    "In `session.run([variable, fetch])`, which of the two is first? What in the graph says so?",
    see="tensorflow/tensorflow#13133",
)
def old_value_in_one_run(session, fetch, variable):
    before, _ = session.run([variable, fetch])
    return session.run(variable) - before


@mistake(
    "all-in-one-run",
    "Old and new value come out of one run, which reads the variable once for both",
    "What does `session.run([variable, fetch, variable])` give for its first and its last entry?",
    see="tensorflow/tensorflow#13133",
)
def all_in_one_run(session, fetch, variable):
    before, _, after = session.run([variable, fetch, variable])
    return after - before


@mistake(
    "run-twice",
    "The fetch is run twice, so the variable moves twice",
    "How often does `fetch` appear in your calls of `session.run`?",
    see="F66",
)
def run_twice(session, fetch, variable):
    session.run(fetch)
    before = session.run(variable)
    session.run(fetch)
    return session.run(variable) - before


@mistake(
    "initialized",
    "You initialize the variable again, and lose what it held",
    "What did the caller keep in the variable? What is it after your function?",
    see="in general",
)
def initialized(session, fetch, variable):
    session.run(variable.initializer)
    before = session.run(variable)
    session.run(fetch)
    return session.run(variable) - before


@mistake(
    "backwards",
    "You subtract the new value from the old",
    "If the variable grows, should your result be positive?",
    see="near miss",
)
def backwards(session, fetch, variable):
    before = session.run(variable)
    session.run(fetch)
    return before - session.run(variable)


@mistake(
    "new-value",
    "You return the variable's new value, not how far it moved",
    "What does your function give for a fetch that moves nothing?",
    see="near miss",
)
def new_value(session, fetch, variable):
    session.run(fetch)
    return session.run(variable)


@mistake(
    "never-run",
    "`fetch` is never run",
    "In which line is `fetch` run? Naming it in Python runs nothing.",
    see="F56",
)
def never_run(session, fetch, variable):
    before = session.run(variable)
    with tf.control_dependencies([fetch]):
        after = variable
    return session.run(after) - before


@mistake(
    "another-session",
    "`fetch` runs in a session of your own, and the caller's variable stays where it is",
    "Where do the values of variables live? Whose session does `moved` get, and use?",
    see="in general",
)
def another_session(session, fetch, variable):
    with tf.Session(graph=session.graph) as own:
        own.run(variable.initializer)
        before = own.run(variable)
        own.run(fetch)
        return own.run(variable) - before


@mistake(
    "unsigned",
    "The direction is lost",
    "What should come out for a variable that falls from 5 to 3?",
    see="near miss",
)
def unsigned(session, fetch, variable):
    before = session.run(variable)
    session.run(fetch)
    return abs(session.run(variable) - before)


# ---------------------------------------------------------------- right, written otherwise


@variant("eval and run")
def with_eval(session, fetch, variable):
    before = variable.eval(session=session)
    session.run([fetch])
    return (variable.eval(session=session) - before).tolist()


@variant("a read that waits for the fetch")
def waiting_read(session, fetch, variable):
    before = session.run(variable)
    with session.graph.as_default(), tf.control_dependencies([fetch]):
        after = variable.read_value()
    return session.run(after) - before


@variant("tf.subtract")
def subtracted(session, fetch, variable):
    before = session.run(variable.read_value())
    session.run(fetch)
    return session.run(tf.subtract(variable, before))


@variant("a checkpoint and a summary on the way")
def kept(session, fetch, variable):
    with session.graph.as_default(), tempfile.TemporaryDirectory() as folder:
        tf.train.Saver([variable]).save(session, os.path.join(folder, "before"))
        told = tf.summary.scalar("sum", tf.reduce_sum(variable))
    before = session.run(variable)
    session.run(fetch)
    assert len(tf.Summary.FromString(session.run(told)).value) == 1
    return session.run(variable) - before
