# %% [markdown] slide="slide"
# # Control dependencies
#
# **Why did my update never run?**

# %% [markdown]
# When you are through you can say which operations of a TensorFlow graph a `session.run` runs, make
# an update run before what needs it, see at a glance why one does not run, and test whether it did.
#
# You need: lesson 02 (a variable that is updated while training). No TensorFlow is needed; if you
# know it, you probably know its eager side, which works otherwise. Time: 80 minutes.

# %% role="setup"
from labsupport import check, hint, needs
from labsupport.controls import choice, explore
from labsupport.graphs import draw
from labsupport.tf1 import tf

# %% [markdown] slide="slide"
# ## Three lines, one of them asleep
#
# Read the three lines with `x` as ordinary Python: `x` is 1, then it is 10, then 2 is added.
#
# **Predict before you run:** which number is printed?

# %% slide="fragment"
with tf.Graph().as_default():
    x = tf.Variable(1.0, name="x")
    update = tf.assign(x, 10.0, name="update")
    add = tf.add(x, 2.0, name="add")

    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        print(session.run(add))

# %% [markdown]
# <details><summary>Why not 12?</summary>
#
# `tf.assign` assigned nothing. It made an operation that *will* assign, whenever it is run. Then
# somebody asked for `add`, and `add` needs `x` and 2, but not `update`. So `update` was not run:
# not forgotten by a bug, but left out, as everything is that nobody needs.
#
# </details>

# %% [markdown] slide="slide"
# ## Look at the graph
#
# This is the graph that the three lines made. An arrow leads from what is needed to what needs it.
# Blue is what fetching `add` runs; a double frame is a variable.

# %% slide="fragment"
draw(add)

# %% [markdown]
# The whole lesson is in this picture. Start at what is fetched and walk **backwards** along the
# arrows: everything that you come by is run, nothing else is. No arrow leads from `update` to
# `add`. The order of the lines in your program does not appear anywhere.
#
# `draw(…)` works on any graph of yours: give it what you would give to `session.run`.

# %% [markdown] slide="slide"
# ## First build, then run
#
# | | eager code | graph mode |
# | --- | --- | --- |
# | `c = a + b` | adds two numbers | makes an operation that adds |
# | `print(c)` | the sum | a description of the operation's result |
# | `tf.assign(x, 10.0)` | changes `x` | makes an operation that changes `x` |
# | `session.run(c)` | | runs the operation, and what it needs |
#
# A **placeholder** is an operation whose value you hand over with each run, in `feed_dict`.

# %%
with tf.Graph().as_default() as graph:
    a = tf.placeholder(tf.float32, shape=(), name="a")
    b = tf.placeholder(tf.float32, shape=(), name="b")
    c = a + b

print(c)
print([operation.name for operation in graph.get_operations()])
with tf.Session(graph=graph) as session:
    print(session.run(c, feed_dict={a: 3.0, b: 4.0}))

# %% [markdown]
# `c` is no number but a *tensor*: a name for the result that the operation `add` will have. It has
# a type and a shape, and no value. Python's `if c > 0:` cannot work here, and it raises an error.
#
# `tf.Graph().as_default()` says into which graph the lines below it build. A session belongs to one
# graph.

# %% [markdown] slide="slide"
# ## Only what the fetch needs
#
# **Predict before you choose:** for which fetches must `b` be fed, and which of them run `shout`?

# %% slide="fragment"
with tf.Graph().as_default() as graph:
    a = tf.placeholder(tf.float32, shape=(), name="a")
    b = tf.placeholder(tf.float32, shape=(), name="b")
    total = tf.add(a, b, name="total")
    triple = tf.multiply(a, 3.0, name="triple")
    mean = tf.divide(total, 2.0, name="mean")
    shout = tf.print("total is", total, name="shout")

names = ["triple", "total", "mean", "shout"]
explore(
    lambda fetch: draw(fetch, graph, hide=["shout_format"]),
    fetch=choice(names, "session.run"),
)

# %% [markdown]
# <details><summary>The answers</summary>
#
# `b` must be fed for `total`, `mean` and `shout`; fetching `triple` without feeding `b` raises no
# error. Only fetching `shout` itself runs `shout`: it needs `total`, but nothing needs *it*. An
# operation that is there for its effect, to print or to update, has no arrows going out. It runs
# only if you fetch it, or if you add an arrow.
#
# </details>

# %% [markdown] slide="slide"
# ## Variables live in the session
#
# The graph holds operations; the values of variables are kept by the session, from one run to the
# next. To begin with there are none. `tf.global_variables_initializer()` makes an operation that
# assigns every variable its initial value, and it too must be run:

# %%
with tf.Graph().as_default():
    x = tf.Variable(5.0, name="x")
    init = tf.global_variables_initializer()
    with tf.Session() as session:
        try:
            session.run(x)
        except tf.errors.FailedPreconditionError as error:
            print(type(error).__name__)
        session.run(init)
        print(session.run(x))
draw(init)

# %% [markdown]
# So the first question about any operation is: *was it run in this session?* From here on, this
# little function does it for us: a fresh session, one run, and what `variable` is afterwards.


# %%
def fresh_run(fetch, variable, feed=None):
    """The value of a fetch in a new session, and the value of `variable` after that run."""
    with fetch.graph.as_default(), tf.Session() as session:
        session.run(tf.global_variables_initializer())
        value = session.run(fetch, feed)
        return value, session.run(variable)


# %% [markdown] slide="slide"
# ## An arrow without data
#
# `add` needs no number from `update`; it only has to come later. Such an arrow is a **control
# dependency**:
#
# ```python
# with tf.control_dependencies([update]):
#     add = tf.add(x, 2.0, name="add")
# ```
#
# *Every operation made inside this block waits for `update`.* And since waiting for something means
# needing it, whoever fetches `add` now runs `update`.
#
# **Predict before you run:** what is `add`, and what is `x` afterwards?

# %% slide="fragment"
with tf.Graph().as_default():
    x = tf.Variable(1.0, name="x")
    update = tf.assign(x, 10.0, name="update")
    with tf.control_dependencies([update]):
        add = tf.add(x, 2.0, name="add")

value, x_now = fresh_run(add, x)
print(f"add = {value}, and x is {x_now} afterwards")
draw(add)

# %% [markdown] slide="slide"
# ## Why it is always 12
#
# Two arrows lead into `add`, one from `x` and one from `update`. What if `x` is *read* before the
# update, and only the adding waits? Look at the same graph with nothing left out:

# %% slide="fragment"
draw(add, show_all=True)

# %% [markdown]
# Reading is an operation of its own, `add/ReadVariableOp`. It was made inside the block, when
# `tf.add` was handed a variable, so it waits as well. The result is 12 in every run.
#
# That holds for *resource variables*, which `labsupport.tf1` switches on. Left to itself, graph
# mode makes another kind, on TensorFlow 2.21 too, in `tf.Variable` and in `tf.layers`. There the
# read is made once, together with the variable, outside any block:

# %%
for resource in (True, False):
    with tf.Graph().as_default():
        x = tf.Variable(1.0, name="x", use_resource=resource)
        with tf.control_dependencies([tf.assign(x, 10.0, name="update")]):
            add = tf.add(x, 2.0, name="add")
        read = add.op.inputs[0].op
        waits_for = [operation.name for operation in read.control_inputs]
        print(f"{x.op.type:12} is read by {read.name}, which waits for {waits_for}")

# %% [markdown]
# <details><summary>And what comes out with the old kind?</summary>
#
# 12 as well, for a bad reason: its read hands on not the value but the *address*, and when `add`
# looks there, the update has been. Where the value had to be copied, between devices
# ([tensorflow/tensorflow#16277](https://github.com/tensorflow/tensorflow/issues/16277)) or because
# its shape changed ([#3886](https://github.com/tensorflow/tensorflow/issues/3886)), the old number
# came through. A read inside the block is ordered by the graph; an address is ordered by luck.
#
# </details>

# %% [markdown] slide="slide"
# ## Exercise: update first, then add
#
# Write `add_after(x, y, new)`. It gets a variable `x` and two tensors, and returns a tensor.
# Whenever that tensor is fetched, `new` is put into `x`, and its value is the sum of the **new**
# `x` and `y`.
#
# This version has the sum right, if `x` happens to be up to date, and leaves `x` alone:
#
# ```python
# def add_after(x, y, new):
#     update = tf.assign(x, new)
#     return x + y
# ```


# %% role="answer" exercise="cd-add"
def add_after(x, y, new):
    ### BEGIN SOLUTION
    with tf.control_dependencies([tf.assign(x, new)]):
        return x + y
    ### END SOLUTION


# %% role="check" exercise="cd-add"
check("cd-add")

# %% role="hint" exercise="cd-add"
# hint("cd-add")  # take the first # away and run: one hint at a time

# %% [markdown] slide="slide"
# ## A line inside is not an operation inside
#
# The same graph, but `add` is made first, and only *named* inside the block.
#
# **Predict before you run:** the value of `same`, and of `x` afterwards?

# %% slide="fragment"
with tf.Graph().as_default():
    x = tf.Variable(1.0, name="x")
    update = tf.assign(x, 10.0, name="update")
    add = tf.add(x, 2.0, name="add")
    with tf.control_dependencies([update]):
        same = add
        copy = tf.identity(add, name="copy")

value, x_now = fresh_run(same, x)
print(f"same = {value}, and x is {x_now} afterwards")
draw(same)

# %% [markdown]
# <details><summary>Why?</summary>
#
# `same = add` gives a second Python name to an operation that was made before the block. No
# operation is made in that line, so there is nothing that could wait. The block reaches neither
# backwards, to what was made earlier, nor to what is merely mentioned inside.
#
# </details>
#
# `copy` is another matter: `tf.identity` **makes** an operation, one that passes on what it gets.

# %% slide="slide"
value, x_now = fresh_run(copy, x)
print(f"x is {x_now} afterwards")
draw(copy)

# %% [markdown]
# Now `update` runs. But what is the value of `copy`: 3 or 12? Follow the arrows: `copy` waits for
# `add` and for `update`, and nothing says which of those two comes first.


# %%
def values_of(*fetches, runs=20_000):
    """The values of the first fetch, in run after run of all, until there are two to show."""
    values = set()
    with fetches[0].graph.as_default(), tf.Session() as session:
        init = tf.global_variables_initializer()
        while len(values) < 2 and runs:
            runs -= 1
            session.run(init)
            values.add(float(session.run(fetches)[0]))
    return sorted(values)


print("values of copy:", values_of(copy))

# %% [markdown]
# Both occur: who wins the race differs from run to run. **`tf.identity` makes the update run; it
# does not make an older operation run later.** If the value must be the new one, the operation that
# reads the variable has to be made inside the block.

# %% [markdown] slide="slide"
# ## Exercise: predict
#
# One graph, five fetches, each in a fresh session where `x` starts at 1. What is **`x` after** the
# fetch? Do it with a pencil: draw the arrows. (Afterwards build it, and let `draw` do it.)
#
# ```python
# x = tf.Variable(1.0)
# update = tf.assign_add(x, 5.0)
# before = x * 2.0
# with tf.control_dependencies([update]):
#     inside = x * 3.0
#     renamed = before
#     copied = tf.identity(before)
# total = inside + copied
# ```
#
# Answer with `x_after`, a dict with the keys `"before"`, `"inside"`, `"renamed"`, `"copied"` and
# `"total"`.

# %% role="answer" exercise="cd-predict"
### BEGIN SOLUTION
x_after = {"before": 1, "inside": 6, "renamed": 1, "copied": 6, "total": 6}
### END SOLUTION

# %% role="check" exercise="cd-predict"
check("cd-predict")

# %% role="hint" exercise="cd-predict"
# hint("cd-predict")  # take the first # away and run: one hint at a time

# %% [markdown] slide="slide"
# ## Exercise: a tensor that was there before
#
# Write `after(update, y)`. It gets an operation `update` and a tensor `y` that somebody else has
# made, of any type, and returns a tensor with the value of `y`. Fetching the result runs `update`,
# once. Fetching the old `y` still runs no update.


# %% role="answer" exercise="cd-identity"
def after(update, y):
    ### BEGIN SOLUTION
    with tf.control_dependencies([update]):
        return tf.identity(y)
    ### END SOLUTION


# %% role="check" exercise="cd-identity"
check("cd-identity")

# %% role="hint" exercise="cd-identity"
# hint("cd-identity")  # take the first # away and run: one hint at a time

# %% [markdown]
# ## Exercise: a counter
#
# Write `count_runs(y)`, which returns `(out, count)`. `out` is a tensor with the value 2·y, and
# `count` a variable that tells how often `out` has been fetched: it starts at 0, every run of `out`
# adds 1, and fetching `count` changes nothing. An optimizer should leave it alone: it is not
# trainable.


# %% role="answer" exercise="cd-counter"
def count_runs(y):
    ### BEGIN SOLUTION
    count = tf.Variable(0, name="count", trainable=False)
    with tf.control_dependencies([tf.assign_add(count, 1)]):
        out = 2 * y
    return out, count
    ### END SOLUTION


# %% role="check" exercise="cd-counter"
check("cd-counter")

# %% role="hint" exercise="cd-counter"
# hint("cd-counter")  # take the first # away and run: one hint at a time

# %% [markdown] slide="slide"
# ## Collections: a list that travels with the graph
#
# A layer knows its update. The training step, made elsewhere and later, should wait for it. A
# **collection** is a list in the graph where one puts operations and the other finds them.
#
# **Predict before you run:** each layer has a counter. Does fetching `y` change them? Does `step`?


# %% slide="fragment"
def layer(y):
    count = tf.Variable(0, name="count", trainable=False)
    update = count.assign_add(1, name="update")
    tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, update)
    return tf.multiply(y, 2.0, name="out")


with tf.Graph().as_default():
    early = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
    y = layer(layer(tf.constant(1.0, name="x")))
    updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
    with tf.control_dependencies(updates):
        step = tf.identity(y, name="step")

# %% slide="slide"
print(f"in the collection: {len(early)} updates before the layers, {len(updates)} after")
explore(draw, fetches=choice({"y": y, "step": step}, "session.run"))

# %% [markdown]
# <details><summary>What a collection does not do</summary>
#
# It adds no arrows. Fetching `y` leaves both counters at 0; `step` raises them, because it was made
# in a block that waits for `updates`. `get_collection` hands over a copy
# of the list as it is *now*: read before the layers are made, it is empty, and the block waits for
# nothing, without a word.
#
# `tf.layers.batch_normalization` puts its updates into this very collection. Lesson 06 goes on from
# here. `GraphKeys.GLOBAL_VARIABLES` and `TRAINABLE_VARIABLES` are collections too.
#
# </details>

# %% [markdown] slide="slide"
# ## The gradient goes another way
#
# Here the *loss* waits for the update, and the training step is made from that loss.
#
# **Predict before you run:** does `train` run `update`?

# %% slide="fragment"
with tf.Graph().as_default():
    w = tf.Variable(3.0, name="w")
    count = tf.Variable(0.0, name="count", trainable=False)
    update = count.assign_add(1.0, name="update")
    loss = tf.square(w, name="loss")
    with tf.control_dependencies([update]):
        loss = tf.identity(loss, name="loss_after")
    train = tf.train.GradientDescentOptimizer(0.1).minimize(loss, name="train")

print("count after a training step:", fresh_run(train, count)[1])
draw(train, fold=["gradients", "train"])

# %% [markdown]
# <details><summary>Why not?</summary>
#
# The gradient of w² is 2w: to compute it, TensorFlow needs `w`, and not the value of the loss. The
# operations that it makes for the gradient are new ones, made outside the block, and no path leads
# from `loss_after` to them. So the thing to make inside the block is the **training step**, not the
# loss.
#
# </details>

# %% [markdown] slide="slide"
# ## Sometimes: tf.cond
#
# Moving averages are updated in training only. `tf.cond(training, f, g)` calls **both** functions
# when the graph is built. When it runs, only the operations *made during* the chosen one's call
# run.
#
# Below, the update is made while `f` is called, or before `tf.cond`. **Predict before you move
# anything:** in which of the four cases does `count` go up?


# %%
def build(made):
    training = tf.placeholder_with_default(False, (), name="training")
    count = tf.Variable(0.0, name="count", trainable=False)

    def make_update():
        return count.assign_add(1.0, name="update")

    if made == "inside f":
        y = tf.cond(training, make_update, count.read_value, name="y")
    else:
        update = make_update()
        y = tf.cond(training, lambda: tf.identity(update), count.read_value, name="y")
    return y, count, training


# %% [markdown]
# The picture says what runs, and its title what `count` was after one such run:


# %%
def show(made, flag):
    with tf.Graph().as_default():
        y, count, training = build(made)
        title = f"count after the run: {fresh_run(y, count, {training: flag})[1]:g}"
        names = {"y/Merge": "y", "y/update": "update"}
        return draw(y, feed={training: flag}, names=names, title=title)


# %% slide="fragment"
explore(
    show,
    made=choice(["inside f", "before tf.cond"], "the update is made"),
    flag=choice({"False": False, "True": True}, "training"),
)

# %% [markdown]
# <details><summary>The answer</summary>
#
# In three of four. Made inside `f`, it runs if `training` is true. Made before `tf.cond`, it is an
# ordinary operation that a branch needs, and what a branch needs from outside is computed before
# anybody decides. It runs always: in evaluation as well.
#
# </details>

# %% [markdown] slide="slide"
# ## Exercise: update in training only
#
# A scaler that remembers the largest number it has seen. Write `scale(x, largest, training)`; `x`
# is a tensor of positive numbers, `largest` a variable, `training` a boolean tensor.
#
# - In training, `largest` becomes the larger of itself and the largest number in `x`; return x
#   divided by this new `largest`.
# - In prediction, return x divided by `largest`, and change nothing.


# %% role="answer" exercise="cd-cond"
def scale(x, largest, training):
    ### BEGIN SOLUTION
    def train():
        return tf.assign(largest, tf.maximum(largest, tf.reduce_max(x)))

    def predict():
        return largest.read_value()

    return x / tf.cond(training, train, predict)
    ### END SOLUTION


# %% role="check" exercise="cd-cond"
check("cd-cond")

# %% role="hint" exercise="cd-cond"
# hint("cd-cond")  # take the first # away and run: one hint at a time

# %% [markdown] slide="slide"
# ## Fetched together, run in any order
#
# `session.run([update, x])` runs both. **Predict before you run:** is the `x` that comes back the
# one before the update, or the one after it?

# %% slide="fragment"
with tf.Graph().as_default():
    x = tf.Variable(1.0, name="x")
    update = tf.assign(x, 10.0, name="update")
    seen = x.read_value()

print("x in a run of its own:", fresh_run(update, x)[1])
print("x in the same run:", values_of(seen, update))

# %% [markdown]
# <details><summary>Why?</summary>
#
# A list of fetches is no sequence. All that the list needs is run, in an order that only arrows
# decide, and there is none between the two. To look at a variable *after* something, look in a
# second `session.run`.
#
# </details>

# %% [markdown]
# ## Catch it
#
# None of these mistakes raises an error. What tells them is a look at the variable.
#
# **Exercise.** Write `moved(session, fetch, variable)`: run `fetch` once in `session`, and return
# by how much that has moved `variable`, as a number or array (new minus old; 0 if it did not move).
# Whatever the variable holds must survive: no initializing.


# %% role="answer" exercise="cd-watch"
def moved(session, fetch, variable):
    ### BEGIN SOLUTION
    before = session.run(variable)
    session.run(fetch)
    return session.run(variable) - before
    ### END SOLUTION


# %% role="check" exercise="cd-watch"
check("cd-watch")

# %% role="hint" exercise="cd-watch"
# hint("cd-watch")  # take the first # away and run: one hint at a time

# %% [markdown]
# The training step from above, on your instrument: does it move the weight, and does it move the
# counter?

# %%
with tf.Session(graph=train.graph) as session:
    with train.graph.as_default():
        session.run(tf.global_variables_initializer())
    for variable in (w, count):
        print(f"one step of train moves {variable.op.name} by {moved(session, train, variable):g}")

# %% [markdown]
# ## In the wild
#
# - **A line inside.** `out_feat = seg_sum` in the block, and the check that should have come first
#   never ran; `seg_sum * 1.0` worked
#   ([tensorflow/tensorflow#16766](https://github.com/tensorflow/tensorflow/issues/16766)). A
#   reviewer caught the same line, `train_op = total_loss`, in TensorFlow's own model repository
#   ([tensorflow/models#1487](https://github.com/tensorflow/models/pull/1487)).
# - **Around the loss.** The update hung on the loss, and `minimize` went past it
#   ([tensorflow/tensorflow#9179](https://github.com/tensorflow/tensorflow/issues/9179)). The
#   documentation of batch norm itself once said to hang them there: lesson 06.

# %% [markdown]
# - **Before tf.cond.** Updates that ran whichever branch was chosen
#   ([tensorflow/tensorflow#1410](https://github.com/tensorflow/tensorflow/issues/1410),
#   [#2062](https://github.com/tensorflow/tensorflow/issues/2062),
#   [#3287](https://github.com/tensorflow/tensorflow/issues/3287)); the documentation got a
#   paragraph about it.
# - **In one list.** The same loss, printed and summarized, gave two numbers
#   ([tensorflow/tensorflow#13133](https://github.com/tensorflow/tensorflow/issues/13133)); since
#   then the documentation of `Session.run` says that the order within a call is undefined
#   ([#17773](https://github.com/tensorflow/tensorflow/pull/17773)).

# %% [markdown] slide="slide"
# ## Recap
#
# 1. Code builds a graph; `session.run` runs what the fetch needs, and nothing else.
# 2. An update has no arrows going out. It runs if it is fetched, or if something that waits for it
#    is.
# 3. `tf.control_dependencies` holds for operations **made** inside; a name is no operation,
#    `tf.identity` is.
# 4. Without an arrow there is no order: not by lines, not within one list of fetches.
# 5. `tf.cond` decides about operations made inside its functions; what they need from outside runs
#    always.
#
# **To remember: no path to the fetch, no run.**
#
# Next: lesson 05, where batch norm is built from such operations.
