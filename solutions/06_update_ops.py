# %% [markdown] slide="slide"
# # UPDATE_OPS
#
# **What is UPDATE_OPS for?**

# %% [markdown]
# When you are through you can use `tf.layers.batch_normalization` without falling into its one deep
# trap, say which ops a training step must run, keep two networks in one graph apart, and choose
# each of its parameters knowing what it does on TensorFlow 2.21.
#
# You need: lessons 02, 04 and 05. Time: 90 minutes; the part on parameters can wait.

# %% role="setup"
import numpy as np

from labsupport import check, hint, needs
from labsupport.controls import choice, explore, tick
from labsupport.figures import update_ops as figures
from labsupport.graphs import draw
from labsupport.tf1 import tf

# %% [markdown] slide="slide"
# ## A network in two layers
#
# 64 samples with 4 features, and targets that depend linearly on them, with a little noise. The
# network is one batch norm and one dense layer; that is enough to get the targets right.

# %%
rng = np.random.RandomState(0)
noise = rng.randn(64, 4)
samples = 3 * noise + [5, -2, 0, 10]
targets = noise @ [[2.0], [-1.0], [1.0], [0.5]] + 0.3 * rng.randn(64, 1)


def network(x, training, momentum):
    h = tf.layers.batch_normalization(x, training=training, momentum=momentum)
    return tf.layers.dense(h, 1)


# %% [markdown]
# `train` makes a graph, runs 300 steps on all 64 samples, and notes after each step the loss **on
# these same samples** in both modes. How a step is made out of loss and optimizer is left to
# `make_step`.


# %% long="a training loop"
def train(make_step, momentum=0.9, steps=300):
    """One row per step: training loss, loss in prediction mode, moving mean of feature 0."""
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(0)
        x, t = tf.placeholder(tf.float32, [None, 4]), tf.placeholder(tf.float32, [None, 1])
        training = tf.placeholder(tf.bool, [], name="training")
        loss = tf.reduce_mean(tf.square(network(x, training, momentum) - t))
        step = make_step(loss, tf.train.GradientDescentOptimizer(0.1))
        moving_mean = next(v for v in tf.global_variables() if "moving_mean" in v.name)
        session.run(tf.global_variables_initializer())
        data, history = {x: samples, t: targets}, []
        for _ in range(steps):
            session.run(step, {**data, training: True})
            of_both = [session.run(loss, {**data, training: flag}) for flag in (True, False)]
            history.append([*of_both, session.run(moving_mean)[0]])
    return np.array(history)


# %% [markdown] slide="slide"
# ## Train it, then ask for a prediction
#
# The step is `optimizer.minimize(loss)`, as for any network. After 300 steps the training loss has
# fallen to 0.08.
#
# **Predict before you run:** the same 64 samples with `training=False`: is the loss about 0.08,
# about 1, or larger than that of always predicting the mean?

# %% slide="fragment"
without = train(lambda loss, optimizer: optimizer.minimize(loss))

print(f"training loss {without[-1, 0]:.2f}")
print(f"loss of the same samples, training=False: {without[-1, 1]:.0f}")
print(f"loss of always predicting the mean: {targets.var():.1f}")
print(f"moving mean of feature 0: {without[-1, 2]:.2f} (its mean is {samples[:, 0].mean():.2f})")

# %% [markdown]
# <details><summary>What happened?</summary>
#
# The moving mean is still 0: nobody has run the op that moves it. So in prediction mode the layer
# passes its input on nearly unchanged, and the dense layer, which has learned from numbers around
# 0, gets numbers around 10.7 in the last feature. Training never reads the moving statistics:
# its loss cannot show that anything is wrong.
#
# </details>

# %% [markdown] slide="slide"
# ## What one call makes
#
# Lesson 05 made four variables and two assigns by hand. `tf.layers.batch_normalization` makes the
# same, and puts everything where others can find it.

# %% slide="fragment"
with tf.Graph().as_default():
    y = tf.layers.batch_normalization(tf.placeholder(tf.float32, [None, 4]), training=True)
    found = {
        "trainable variables": tf.trainable_variables(),
        "global variables": tf.global_variables(),
        "UPDATE_OPS": tf.get_collection(tf.GraphKeys.UPDATE_OPS),
    }
for title, things in found.items():
    print(f"{title}: {len(things)}")
    for thing in things:
        print("   ", thing.name.removeprefix("batch_normalization/"))

# %% [markdown]
# - **Trainable variables**, 2: what the optimizer changes.
# - **Global variables**, 4: what an initializer sets and a `Saver` saves by default. A
#   `Saver(tf.trainable_variables())` forgets the moving statistics (lesson 07).
# - **UPDATE_OPS**, 2: a list in the graph and nothing more. Each op subtracts
#   `(1 - momentum) * (moving - batch)` from its variable, which is lesson 02's formula. Neither
#   `minimize` nor `Session.run` looks at the list. (`create_train_op` did; it went with contrib.)

# %% [markdown] slide="slide"
# ## What `minimize` reaches
#
# The graph of a training step. In colour: what a run of `optimizer.minimize(loss)` needs.

# %% slide="slide"
with tf.Graph().as_default():
    x, t = tf.placeholder(tf.float32, [None, 4], "x"), tf.placeholder(tf.float32, [None, 1], "t")
    h = tf.layers.batch_normalization(x, training=True, name="bn")
    out = tf.layers.dense(h, 1, name="dense")
    with tf.name_scope("loss"):
        loss = tf.reduce_mean(tf.square(out - t))
    with tf.name_scope("minimize"):
        step = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
    fold = ("bn/moments", "bn/batchnorm", "dense", "loss", "minimize")
    picture = draw(step, fold=(*fold, "bn/AssignMovingAvg", "bn/AssignMovingAvg_1"))
picture

# %% [markdown] slide="slide"
# ## Exercise: a train op that also updates
#
# Write `make_train_op(loss, optimizer)`. The network is already there. Return something that one
# `session.run` can run, and that does both: one step of the optimizer, and every op in the
# collection `tf.GraphKeys.UPDATE_OPS`, once.
#
# Computing the loss alone must go on changing nothing.


# %% role="answer" exercise="uo-train-op"
def make_train_op(loss, optimizer):
    ### BEGIN SOLUTION
    updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
    with tf.control_dependencies(updates):
        return optimizer.minimize(loss)
    ### END SOLUTION


# %% role="check" exercise="uo-train-op"
check("uo-train-op")

# %% role="hint" exercise="uo-train-op"
# hint("uo-train-op")  # take the first # away and run: one hint at a time

# %% [markdown]
# There are several right forms: the block with `tf.control_dependencies` around `minimize`,
# `tf.group(step, updates)`, or the updates waiting for the step. They differ in nothing that you
# could measure: the moments are computed once per run, and everybody uses these.

# %% [markdown] slide="slide"
# ## With the updates

# %% slide="fragment"
with_updates = train(make_train_op)
figures.losses({"minimize alone": without, "your train op": with_updates}, targets.var())

# %% [markdown] slide="slide"
# ## The momentum decides how soon
#
# 50 steps, in which the batch's mean never changes. At TensorFlow's default, 0.99, the moving mean
# has then gone $1 - 0.99^{50} = 39.5\,\%$ of its way (lesson 02).
#
# **Predict before you move it:** is that enough for a useful prediction? Is 0.9?


# %%
def fifty_steps(momentum, updates):
    make_step = make_train_op if updates else lambda loss, optimizer: optimizer.minimize(loss)
    history = train(make_step, momentum, steps=50)
    return figures.way_and_losses(history, samples[:, 0].mean(), momentum)


# %% slide="fragment"
explore(
    fifty_steps,
    momentum=choice([0.5, 0.9, 0.99, 0.999], "momentum", value=0.99),
    updates=tick(True, "run the updates"),
)

# %% [markdown]
# <details><summary>The answers</summary>
#
# No: the prediction's loss is 31 where the training loss is 0.08. With 0.9 the mean has gone 99.5 %
# of its way, and the two nearly agree. The default suits runs of many thousand steps; in a short
# one it looks just like forgotten updates. To tell the two apart, look at the moving mean: at 0,
# nothing runs; on its way, wait, or lower the momentum.
#
# </details>

# %% [markdown] slide="slide"
# ## Who registers updates?
#
# **Predict before you run:** how many ops are in the collection after each of these?

# %% slide="fragment"
bn = tf.layers.batch_normalization
calls = {
    "training=True": lambda x: bn(x, training=True),
    "training=False": lambda x: bn(x, training=False),
    "training not given": lambda x: bn(x),
    "training=placeholder": lambda x: bn(x, training=tf.placeholder(tf.bool, [])),
    "training=True, trainable=False": lambda x: bn(x, training=True, trainable=False),
    "two layers": lambda x: bn(bn(x, training=True), training=True),
    "one layer, called twice": lambda x: [bn(x, training=True, name="bn"),
                                          bn(x, training=True, name="bn", reuse=True)],
}  # fmt: skip
for title, call in calls.items():
    with tf.Graph().as_default():
        call(tf.placeholder(tf.float32, [None, 4]))
        print(f"{len(tf.get_collection(tf.GraphKeys.UPDATE_OPS))}  {title}")

# %% [markdown]
# - The default of `training` is **False**: who forgets it gets a layer that never measures
#   anything, and an empty collection.
# - With a placeholder the two ops are there, and in a run with False they change nothing.
# - The collection grows **when the layer is called**. Read it before, or in another graph, and the
#   list is empty.
# - `trainable=False` takes the updates away, but the output is still normalized by the batch, a
#   layer frozen by half:

# %%
with tf.Graph().as_default(), tf.Session() as session:
    y = bn(tf.constant(samples, tf.float32), training=True, trainable=False)
    session.run(tf.global_variables_initializer())
    print("output means are 0:", np.allclose(session.run(y).mean(axis=0), 0, atol=1e-5))

# %% [markdown] slide="slide"
# ## Twice the updates
#
# A network is called twice, on training and on validation data, with the same variables (`reuse`)
# and both times with `training=True`. The training data have mean 5, the validation data 95.
#
# **Predict before you run:** what is the moving mean in the end?

# %% slide="fragment"
with tf.Graph().as_default(), tf.Session() as session:
    x, v = tf.placeholder(tf.float32, [None, 1]), tf.placeholder(tf.float32, [None, 1])
    tf.layers.batch_normalization(x, training=True, name="bn")
    tf.layers.batch_normalization(v, training=True, name="bn", reuse=True)
    updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
    session.run(tf.global_variables_initializer())
    for _ in range(500):
        session.run(updates, {x: 5 + noise[:, :1], v: 95 + noise[:, :1]})
    moving_mean = session.run(tf.global_variables()[2])[0]
print(f"{len(updates)} updates; moving mean {moving_mean:.0f}")

# %% [markdown]
# <details><summary>Why half way?</summary>
#
# Each call registered two updates, so each step moves the mean once towards 5 and once towards 95.
# The second call should have had `training=False`: one flag per call, or one placeholder for the
# whole network and a single call.
#
# </details>

# %% [markdown] slide="slide"
# ## Two networks in one graph
#
# An actor and a critic, a generator and a discriminator, a student and a teacher: each has its own
# input. Here is one step of the actor, whose train op waits for everything in the collection.

# %% slide="fragment"
with tf.Graph().as_default(), tf.Session() as session:
    inputs, losses = {}, {}
    for scope in "actor", "critic":
        with tf.variable_scope(scope):
            inputs[scope] = tf.placeholder(tf.float32, [None, 4], name="x")
            out = network(inputs[scope], True, 0.9)
            losses[scope] = tf.reduce_mean(tf.square(out))
    step = make_train_op(losses["actor"], tf.train.GradientDescentOptimizer(0.1))
    session.run(tf.global_variables_initializer())
    try:
        session.run(step, {inputs["actor"]: samples})
    except tf.errors.InvalidArgumentError as error:
        print(next(line for line in str(error).splitlines() if "must feed" in line))

# %% [markdown] slide="slide"
# ## Exercise: the updates of one network
#
# Write `updates_of(scope)`: the list of the update ops of the network that was built in the
# variable scope `scope`, and of no other. Names of ops begin with the scope they were made in.
#
# Mind that names may resemble each other. TensorFlow itself makes such names: a second call within
# the variable scope `net` puts its ops into `net_1/…`, and these belong to another input.


# %% role="answer" exercise="uo-which"
def updates_of(scope):
    ### BEGIN SOLUTION
    return tf.get_collection(tf.GraphKeys.UPDATE_OPS, scope=f"{scope}/")
    ### END SOLUTION


# %% role="check" exercise="uo-which"
check("uo-which")

# %% role="hint" exercise="uo-which"
# hint("uo-which")  # take the first # away and run: one hint at a time

# %% [markdown] slide="slide"
# ## Without a collection
#
# `tf.contrib.layers.batch_norm`, the layer before this one, had an argument `updates_collections`.
# Set to `None`, it put the updates into no collection and made the **output** wait for them: who
# uses the output in training, updates. No train op can forget anything.
#
# contrib left TensorFlow with version 2.0
# ([tensorflow/tensorflow#50850](https://github.com/tensorflow/tensorflow/issues/50850) is one of
# many who missed this very layer). Its heir, tf_slim 1.1.0, can still be imported under TensorFlow
# 2.21, but its `batch_norm` stops at once: `module 'tensorflow.python.framework.ops' has no
# attribute 'Tensor'`. The idea takes five lines, so we can have it back.

# %% [markdown] slide="slide"
# ## Exercise: a batch norm that brings its updates along
#
# Write `batch_norm_in_place(x, training, momentum, eps)` for `x` of shape (m, D) and a boolean
# placeholder `training`. Return `y`, so that
#
# - running `y` with True gives the training output and moves the statistics one step;
# - running it with False predicts and changes nothing;
# - it needs nobody's updates but its own, and may be called several times in a graph.


# %% role="answer" exercise="uo-in-place"
def batch_norm_in_place(x, training, momentum, eps):
    ### BEGIN SOLUTION
    layer = tf.layers.BatchNormalization(momentum=momentum, epsilon=eps)
    y = layer(x, training=training)
    with tf.control_dependencies(layer.updates):
        return tf.identity(y)
    ### END SOLUTION


# %% role="check" exercise="uo-in-place"
check("uo-in-place")

# %% role="hint" exercise="uo-in-place"
# hint("uo-in-place")  # take the first # away and run: one hint at a time

# %% [markdown]
# `minimize` alone now updates, because gradients need the values of the forward pass, and `y` is
# one of them. (A copy of the *loss* is not: that is lesson 04's trap.)
#
# <details><summary>Why does tf.layers not do this?</summary>
#
# Each output would then wait for its updates before the next layer may start, and in distributed
# training the statistics live on another machine: contrib's documentation said that it "can have a
# speed penalty, especially in distributed settings". Also, `y` now has a side effect: whoever looks
# at it with True, moves the statistics. Keras later went this way all the same (lesson 10).
#
# </details>

# %% [markdown] slide="slide"
# ## Every parameter, in a line
#
# | what is normalized | |
# | --- | --- |
# | `inputs` | a tensor whose first axis is the batch |
# | `axis=-1` | keeps its own statistics: −1 for (m, D) and NHWC, 1 for NCHW; may be a list |
# | `epsilon=0.001` | ε, a hundred times that of lesson 01 |
# | `center=True` | whether there is a β |
# | `scale=True` | whether there is a γ; a dense layer that follows can scale as well |
# | `momentum=0.99` | weight of the **old** value; PyTorch would call it 0.01 |

# %% [markdown] slide="slide"
# | variables | |
# | --- | --- |
# | `beta_initializer`, `gamma_initializer` | start values, by default 0 and 1 |
# | `moving_mean_initializer` | start value, by default 0 |
# | `moving_variance_initializer` | start value, by default 1 |
# | `beta_regularizer`, `gamma_regularizer` | a penalty; see below |
# | `beta_constraint`, `gamma_constraint` | a function applied after each step of an optimizer |
# | `name`, `reuse` | scope of the variables; `reuse=True` takes those that are there |
# | `trainable=True` | False: no optimizer, and no updates |
#
# A penalty is put into the collection REGULARIZATION_LOSSES. That is another list that nobody reads
# for you: add what is in it to your loss.

# %% [markdown] slide="slide"
# | modes and methods | |
# | --- | --- |
# | `training=False` | Python's bool or a boolean tensor; see above |
# | `fused=None` | one kernel for everything, where it can be had |
# | `renorm=False` | corrects the training output towards the moving statistics |
# | `renorm_clipping` | bounds of that correction: `{"rmin": …, "rmax": …, "dmax": …}` |
# | `renorm_momentum=0.99` | momentum of the statistics that it uses |
# | `virtual_batch_size=None` | normalizes in groups of that many samples |
# | `adjustment=None` | shape → (scale, shift), applied to x̂ in training only |
#
# `fused`, `renorm` and `virtual_batch_size` hold surprises on TensorFlow 2.21. We try them.

# %% [markdown] slide="slide"
# ## Fused or not: two moving variances
#
# The same numbers, as 4 samples of one feature and as one image of 2 × 2 pixels with one channel.
# Momentum 0, so that the moving variance becomes what the layer takes for the batch's variance.
#
# **Predict before you run:** do all three give the same?

# %% slide="fragment"
numbers = np.array([1.0, 2.0, 4.0, 9.0])
for title, shape, options in (
    ("(m, D)", (4, 1), {}),
    ("(m, p, q, C), fused", (1, 2, 2, 1), {}),
    ("(m, p, q, C), fused=False", (1, 2, 2, 1), dict(fused=False)),
):
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.constant(numbers.reshape(shape), tf.float32)
        y = tf.layers.batch_normalization(x, training=True, momentum=0.0, **options)
        session.run(tf.global_variables_initializer())
        out, _ = session.run([y, tf.get_collection(tf.GraphKeys.UPDATE_OPS)])
        variance = session.run(tf.global_variables()[3]).item()
    print(f"{title:26} moving variance {variance:.3f}, largest output {out.max():.4f}")
print(f"np.var: {numbers.var():.3f}, with ddof=1: {numbers.var(ddof=1):.3f}")

# %% [markdown]
# The **output** uses the biased variance (divided by $n = m\,p\,q$) in all three. The **moving
# variance** is biased in the 2-D path and in the unfused one, and unbiased (divided by $n - 1$) in
# the fused kernel, which takes over for 4-D inputs by itself. With $n$ = 4 that is a factor 4/3;
# with a batch of 32 images of 28 × 28 pixels it is 1.00004. `fused=True` on 2-D inputs is ignored
# without a word.

# %% [markdown] slide="slide"
# ## Renorm: training like prediction
#
# A layer has seen many batches of 4. Then one more comes: how far is its training output from its
# prediction? With batch norm, four samples estimate their own mean and variance badly. Batch
# renormalization (Ioffe 2017) multiplies by $r = \sigma/\sigma_\text{moving}$ and adds
# $d = (\mu - \mu_\text{moving})/\sigma_\text{moving}$, as constants for the gradient.

# %% slide="fragment"
for renorm in False, True:
    gaps, rng = [], np.random.RandomState(1)
    with tf.Graph().as_default(), tf.Session() as session:
        x, training = tf.placeholder(tf.float32, [None, 3]), tf.placeholder(tf.bool, [])
        y = tf.layers.batch_normalization(x, training=training, renorm=renorm)
        updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
        session.run(tf.global_variables_initializer())
        for _ in range(2000):
            batch = 5 + 3 * rng.randn(4, 3)
            out, _ = session.run([y, updates], {x: batch, training: True})
            gaps.append(np.abs(out - session.run(y, {x: batch, training: False})).mean())
        count = len(tf.global_variables())
    print(f"renorm={renorm!s:5}: difference {np.mean(gaps[-200:]):.2f}, {count} variables")

# %% [markdown]
# Without `renorm_clipping` the correction is complete, and training output and prediction differ
# only by the last update. In the first steps, with moving statistics of 0 and 1, that means: no
# normalization at all. Ioffe clips with $r = 1$, $d = 0$ at first and loosens the bounds later.
# Three more variables come with it. Keras 3 dropped the option
# ([keras-team/keras#19857](https://github.com/keras-team/keras/issues/19857)) and took it up again
# in 2026 ([#22047](https://github.com/keras-team/keras/pull/22047)).

# %% [markdown] slide="slide"
# ## Virtual batches: fine until you predict
#
# `virtual_batch_size=4` splits a batch of 8 into two groups with their own statistics ("ghost
# batch norm", Hoffer et al. 2017).
#
# **Predict before you run:** eight samples with the values 0, 1 … 7. Which four form a group, and
# can the layer predict a single sample?

# %% slide="fragment"
with tf.Graph().as_default(), tf.Session() as session:
    x, training = tf.placeholder(tf.float32, [None, 1]), tf.placeholder(tf.bool, [])
    y = tf.layers.batch_normalization(x, training=training, virtual_batch_size=4)
    session.run(tf.global_variables_initializer())
    out = session.run(y, {x: np.arange(8.0)[:, None], training: True})
    for title, group in (("first four", out[:4]), ("every other one", out[::2])):
        print(f"{title:16} normalized to mean 0: {abs(group.mean()) < 1e-5}")
    try:
        session.run(y, {x: [[1.0]], training: False})
    except tf.errors.InvalidArgumentError as error:
        print(
            next(line for line in str(error).splitlines() if "reshape" in line and "Input" in line)
        )

# %% [markdown]
# A group is every other sample, not the first four. And a prediction wants a multiple of 4 samples
# too, though it needs no groups
# ([tensorflow/tensorflow#23050](https://github.com/tensorflow/tensorflow/issues/23050)). Keras
# mended it ([keras-team/keras#17065](https://github.com/keras-team/keras/pull/17065)); for
# `tf.layers` the old behaviour was kept on purpose. Together with `adjustment` it is refused.

# %% [markdown]
# **The rest, tried:**

# %%
with tf.Graph().as_default(), tf.Session() as session:
    y = tf.layers.batch_normalization(
        tf.constant(samples, tf.float32), training=True, center=False,
        gamma_regularizer=tf.nn.l2_loss,
        gamma_constraint=lambda gamma: tf.clip_by_value(gamma, 0.0, 1.2),
        adjustment=lambda shape: (tf.fill([1, 4], 2.0), tf.fill([1, 4], 0.5)),
    )  # fmt: skip
    step = tf.train.GradientDescentOptimizer(1.0).minimize(-tf.reduce_sum(tf.square(y)))
    session.run(tf.global_variables_initializer())
    print("trainable:", [v.name for v in tf.trainable_variables()])
    print("penalties:", len(tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)))
    out = session.run(y)
    print(f"adjusted: mean {out.mean():.2f}, standard deviation {out.std():.2f}")
    session.run(step)
    print("gamma after a step:", session.run(tf.trainable_variables()[0]))

# %% [markdown]
# No β is there; one penalty waits to be added to a loss; x̂ comes out doubled and shifted by ½; and
# γ, which the step would have made far larger, is cut to 1.2 by its constraint.

# %% [markdown] slide="slide"
# ## Now break it
#
# The mistake at the top of this page can hide. **Exercise.** Make `test_batches`, a pair
# `(x_hides, x_shows)` of batches with at least 4 samples of at least 2 features that vary. Each is
# given to a new `tf.layers.batch_normalization` whose updates never run:
#
# - on `x_hides` training output and prediction differ by less than 0.01 everywhere;
# - on `x_shows` they differ by more than 2 in every feature.

# %% role="answer" exercise="uo-hide"
### BEGIN SOLUTION
numbers = np.random.RandomState(0).randn(8, 3)
x_hides = (numbers - numbers.mean(axis=0)) / numbers.std(axis=0)
x_shows = 5 * numbers + 20
test_batches = (x_hides, x_shows)
### END SOLUTION

# %% role="check" exercise="uo-hide"
check("uo-hide")

# %% role="hint" exercise="uo-hide"
# hint("uo-hide")  # take the first # away and run: one hint at a time

# %% [markdown]
# <details><summary>What it teaches about testing</summary>
#
# Who standardizes the data, as one should, and puts the only batch norm first, will not notice
# that it never updates. Deeper layers get inputs of any mean. A test for forgotten updates should
# not look at losses at all: run one training step and see whether the moving mean has moved.
#
# </details>

# %% [markdown]
# ## In the wild
#
# - **Reported as a bug of TensorFlow**, again and again:
#   [tensorflow/tensorflow#10118](https://github.com/tensorflow/tensorflow/issues/10118)
#   (unreasonable losses with `training=0`),
#   [#11965](https://github.com/tensorflow/tensorflow/issues/11965) ("all the moving means in the
#   network are still 0 while all the moving variances are 1").
# - **In the textbooks.** [ageron/handson-ml#56](https://github.com/ageron/handson-ml/issues/56):
#   the collection was read in another graph, and the solution concluded that batch norm made the
#   model worse. [udacity/deep-learning#128](https://github.com/udacity/deep-learning/issues/128): a
#   GAN of the course without the block.

# %% [markdown]
# - **Only the loss waits** (lesson 04). The documentation of contrib's layer once said to bind the
#   updates to the loss
#   ([tensorflow/tensorflow#7577](https://github.com/tensorflow/tensorflow/issues/7577)); since
#   [#8292](https://github.com/tensorflow/tensorflow/pull/8292), to the train op: a loss that is
#   computed on test data should not move anything.
# - **Names that begin alike.** [AYLIEN/gan-intro#3](https://github.com/AYLIEN/gan-intro/pull/3):
#   `scope='D'` also returns what is in `D_pre`.
# - **Fused against unfused.** The factor n/(n − 1) is
#   [tensorflow/tensorflow#55545](https://github.com/tensorflow/tensorflow/issues/55545).
# - **Keras 3.** Without the legacy Keras, `tf.layers` says "`batch_normalization` is not available
#   with Keras 3"
#   ([githubharald/SimpleHTR#177](https://github.com/githubharald/SimpleHTR/issues/177));
#   `labsupport.tf1` chooses the legacy one.

# %% [markdown] slide="slide"
# ## Recap
#
# 1. `tf.layers.batch_normalization` makes 2 trainable and 4 global variables, and 2 ops in
#    UPDATE_OPS.
# 2. Nobody runs that collection for you: `minimize` inside `tf.control_dependencies(updates)`, or a
#    `tf.group` of both.
# 3. Without it the training loss is fine and the prediction useless. A momentum that is too high
#    for the number of steps looks the same.
# 4. Read the collection after the layers are made; filter it by `scope + "/"` when there are two
#    networks.
# 5. The fused 4-D kernel keeps the unbiased moving variance, the 2-D path the biased one.
#
# **To remember: a layer only registers its updates; the train op must run them.**
#
# Next: lesson 07, where a published MNIST program gets this nearly right.

# %% [markdown] slide="slide"
# **References.** S. Ioffe, *Batch Renormalization: Towards Reducing Minibatch Dependence in
# Batch-Normalized Models*, NeurIPS 2017. E. Hoffer, I. Hubara and D. Soudry, *Train longer,
# generalize better*, NeurIPS 2017 (ghost batch norm). The layer's parameters: TensorFlow API
# documentation, `tf.compat.v1.layers.batch_normalization`.
