# %% [markdown] slide="slide"
# # Batch norm from TensorFlow's ops
#
# **What is under `tf.layers`?**

# %% [markdown]
# When you are through you can build batch norm as a TensorFlow graph from `tf.nn.moments`,
# `tf.nn.batch_normalization`, `tf.assign` and `tf.cond`, and show that it gives the numbers of your
# NumPy layer.
#
# You need: lesson 02 (moving statistics) and lesson 04 (what runs in a graph, and when).
# Time: 70 minutes.

# %% role="setup"
import numpy as np

from labsupport import check, hint, needs
from labsupport.controls import choice, explore, slider
from labsupport.earlier import answer_to
from labsupport.figures import batch_norm_from_tf_ops as figures
from labsupport.graphs import draw
from labsupport.tf1 import tf

# %% [markdown] slide="slide"
# ## Batch norm in one call
#
# TensorFlow has an op for the last two equations of batch norm. Below it gets x, the mean and the
# variance of x, then $\gamma = 2$, $\beta = 1$ and $\varepsilon$, in the order of lesson 01.
#
# **Predict before you run:** which mean and which standard deviation does the output have?

# %% slide="fragment"
x = 5 + 3 * np.random.RandomState(0).randn(64, 1)
gamma, beta, eps = 2.0, 1.0, 1e-5

with tf.Graph().as_default(), tf.Session() as session:
    y = tf.nn.batch_normalization(tf.constant(x), x.mean(), x.var(), gamma, beta, eps)
    out = session.run(y)
print(f"mean {out.mean():.3f}, standard deviation {out.std():.3f}")

# %% [markdown]
# <details><summary>Why not mean 1 and standard deviation 2?</summary>
#
# The op's signature is `batch_normalization(x, mean, variance, offset, scale, variance_epsilon)`.
# The offset comes first: 2 was taken for $\beta$ and 1 for $\gamma$. Both are plain numbers, so
# nothing complains; with arrays of shape (D,) it is the same. Give these arguments **by name**.
#
# </details>

# %% [markdown] slide="slide"
# ## Two ops without a memory
#
# $$\mu,\ \sigma^2 \qquad\text{and}\qquad
# y = \gamma\,\frac{x-\mu}{\sqrt{\sigma^2+\varepsilon}} + \beta$$
#
# ```python
# mu, var = tf.nn.moments(x, axes)
# y = tf.nn.batch_normalization(x, mu, var, offset=beta, scale=gamma, variance_epsilon=eps)
# ```
#
# Neither knows training from prediction, and neither remembers anything. Memory in a graph is a
# **variable**, and to change one takes an **assign** that somebody runs. That is what
# `tf.layers.batch_normalization` adds, and what you build here.

# %% [markdown] slide="slide"
# ## Over which axes?
#
# `tf.nn.moments` wants to be told. Here are four images of 5 × 6 pixels with 3 channels, in
# TensorFlow's usual layout (m, p, q, C).
#
# **Predict before you run:** how many means do `[0]`, `[1, 2]` and `[0, 1, 2]` give?

# %% slide="fragment"
images = np.random.RandomState(1).randn(4, 5, 6, 3)

with tf.Graph().as_default():
    for axes in [0], [1, 2], [0, 1, 2]:
        mu, var = tf.nn.moments(tf.constant(images), axes)
        print(f"axes {str(axes):9}  means of shape {str(mu.shape):9}  {np.prod(mu.shape)} of them")

# %% [markdown]
# <details><summary>Which one is batch norm?</summary>
#
# The last: one mean per channel (lesson 01). `[0]` alone gives one per pixel and channel, `[1, 2]`
# one per image and channel. A dense layer's x has shape (m, D) and wants `[0]`. Both times it is
# **every axis but the last**.
#
# </details>

# %% [markdown] slide="slide"
# ## Exercise: four variables
#
# A batch norm over `size` features (or channels) owns four variables of shape `(size,)`:
#
# | | starts at | who changes it |
# | --- | --- | --- |
# | `gamma`, `beta` | 1, 0 | the optimizer |
# | `pop_mean`, `pop_var` | 0, 1 | our own assigns, never the optimizer |
#
# `pop_mean` and `pop_var` are lesson 02's `moving_mean` and `moving_var`; programs written against
# these ops call them so, for they stand for the whole **pop**ulation.
#
# Write `batch_norm_variables(size)`. Return the four, in this order. All must be global variables:
# that is what a `Saver` writes to disk by default, and a network without its statistics is lost.


# %% role="answer" exercise="tf-bn-state"
def batch_norm_variables(size):
    ### BEGIN SOLUTION
    gamma = tf.Variable(tf.ones([size]), name="gamma")
    beta = tf.Variable(tf.zeros([size]), name="beta")
    pop_mean = tf.Variable(tf.zeros([size]), trainable=False, name="pop_mean")
    pop_var = tf.Variable(tf.ones([size]), trainable=False, name="pop_var")
    return gamma, beta, pop_mean, pop_var
    ### END SOLUTION


# %% role="check" exercise="tf-bn-state"
check("tf-bn-state")

# %% role="hint" exercise="tf-bn-state"
# hint("tf-bn-state")  # take the first # away and run: one hint at a time

# %% [markdown] slide="slide"
# ## Exercise: training
#
# Write `batch_norm_train`. `x` is a tensor of shape (m, D) or (m, p, q, C), and the four variables
# are given. Return `(y, updates)`:
#
# - `y`: x normalized with its own moments, then $\gamma$ and $\beta$;
# - `updates`: a list of two ops. Running them moves `pop_mean` and `pop_var` one step,
#   $$\text{new} = \text{momentum}\cdot\text{old} + (1 - \text{momentum})\cdot\text{batch}$$
#
# Running `y` alone changes nothing.


# %% role="answer" exercise="tf-bn-train"
def batch_norm_train(x, gamma, beta, pop_mean, pop_var, momentum, eps):
    ### BEGIN SOLUTION
    axes = list(range(len(x.shape) - 1))
    mu, var = tf.nn.moments(x, axes)
    y = tf.nn.batch_normalization(x, mu, var, offset=beta, scale=gamma, variance_epsilon=eps)
    updates = [
        tf.assign(pop_mean, momentum * pop_mean + (1 - momentum) * mu),
        tf.assign(pop_var, momentum * pop_var + (1 - momentum) * var),
    ]
    return y, updates
    ### END SOLUTION


# %% role="check" exercise="tf-bn-train"
check("tf-bn-train")

# %% role="hint" exercise="tf-bn-train"
# hint("tf-bn-train")  # take the first # away and run: one hint at a time

# %% [markdown] slide="slide"
# ## Who runs the updates?
#
# One feature with mean 5. We run `y` a hundred times, and after that `y` **and** `updates` fifty
# times. The momentum is 0.9.
#
# **Predict before you run:** what is `pop_mean` after the first hundred, and after the fifty?

# %% slide="fragment"
batch = 5 + 3 * np.random.RandomState(0).randn(64, 1)
batch = batch - batch.mean() + 5  # a mean of exactly 5

with tf.Graph().as_default(), tf.Session() as session:
    x = tf.placeholder(tf.float32, [None, 1], name="x")
    state = gamma, beta, pop_mean, pop_var = batch_norm_variables(1)
    y, updates = batch_norm_train(x, *state, momentum=0.9, eps=1e-3)
    session.run(tf.global_variables_initializer())
    for fetches, times in (y, 100), ([y, updates], 50):
        for _ in range(times):
            session.run(fetches, {x: batch})
        print(f"after {times:3} runs: pop_mean = {session.run(pop_mean)[0]:.3f}")
    picture = draw(y, fold=("moments", "batchnorm"))

# %% [markdown]
# <details><summary>What happened?</summary>
#
# Nothing in the first hundred: y does not depend on the assigns, and what nobody asks for does not
# run (lesson 04). Afterwards 5 · (1 − 0.9⁵⁰) = 4.974 (lesson 02).
#
# </details>

# %% [markdown] slide="slide"
# ## What `session.run(y)` reaches

# %% slide="fragment"
picture

# %% [markdown] slide="slide"
# ## Exercise: prediction
#
# Write `batch_norm_predict(x, gamma, beta, pop_mean, pop_var, eps)`: the output for new data, by
# the population's statistics alone. It is one call, with two traps you have met above.


# %% role="answer" exercise="tf-bn-predict"
def batch_norm_predict(x, gamma, beta, pop_mean, pop_var, eps):
    ### BEGIN SOLUTION
    return tf.nn.batch_normalization(
        x, pop_mean, pop_var, offset=beta, scale=gamma, variance_epsilon=eps
    )
    ### END SOLUTION


# %% role="check" exercise="tf-bn-predict"
check("tf-bn-predict")

# %% role="hint" exercise="tf-bn-predict"
# hint("tf-bn-predict")  # take the first # away and run: one hint at a time

# %% [markdown] slide="slide"
# ## One graph, two modes
#
# Training and prediction should be the same graph, with a placeholder `training` as the switch.
#
# **Predict before you run:** Python's `if` on that placeholder: which branch does it take?

# %% slide="fragment"
with tf.Graph().as_default():
    training = tf.placeholder(tf.bool, [], name="training")
    try:
        mode = "train" if training else "predict"
    except Exception as error:
        print(f"{type(error).__name__}: {str(error).partition('. ')[0]}.")

# %% [markdown]
# <details><summary>Why neither?</summary>
#
# Python runs once, while the graph is built; the placeholder has no value until a session feeds
# it, and then Python's `if` is long over. The choice must be an op in the graph: `tf.cond`.
#
# </details>

# %% [markdown] slide="slide"
# ## `tf.cond` chooses what was made inside
#
# Lesson 04's rule, once more: both branches are built, and of the ops made **inside** them only
# those of the chosen branch run; what was made **before** and is only used inside runs either way.
#
# **Predict before you run:** after three runs with `False`, what are `a` and `b`?

# %% slide="fragment"
with tf.Graph().as_default(), tf.Session() as session:
    flag = tf.placeholder(tf.bool, [])
    a, b = tf.Variable(0), tf.Variable(0)
    add_to_a = tf.assign_add(a, 1)  # made before
    out_a = tf.cond(flag, lambda: tf.identity(add_to_a), lambda: tf.constant(0))
    out_b = tf.cond(flag, lambda: tf.assign_add(b, 1), lambda: tf.constant(0))  # made inside
    session.run(tf.global_variables_initializer())
    for _ in range(3):
        session.run([out_a, out_b], {flag: False})
    print("after three runs with False: a =", session.run(a), " b =", session.run(b))

# %% [markdown] slide="slide"
# ## Exercise: both behind one placeholder
#
# Write `batch_norm(x, training, …)`. `training` is a placeholder of type `tf.bool`. Return `y`:
#
# - fed `True`, running `y` gives the training output **and** moves the statistics one step;
# - fed `False`, it gives the prediction and changes nothing.
#
# Nobody runs updates separately any more: `y` has to bring them along (lesson 04). You may use
# your two functions.


# %% role="answer" exercise="tf-bn-cond"
def batch_norm(x, training, gamma, beta, pop_mean, pop_var, momentum, eps):
    ### BEGIN SOLUTION
    state = gamma, beta, pop_mean, pop_var

    def train():
        y, updates = batch_norm_train(x, *state, momentum, eps)
        with tf.control_dependencies(updates):
            return tf.identity(y)

    def predict():
        return batch_norm_predict(x, *state, eps)

    return tf.cond(training, train, predict)
    ### END SOLUTION


# %% role="check" exercise="tf-bn-cond"
check("tf-bn-cond")

# %% role="hint" exercise="tf-bn-cond"
# hint("tf-bn-cond")  # take the first # away and run: one hint at a time

# %% [markdown] slide="slide"
# ## Forty runs of your graph
#
# Runs 1 to 20 train on batches with mean 5. Runs 21 to 40 get strange batches, with mean −5. Choose
# the flag for these, and the momentum.
#
# 1. With the flag `False`, does the mean leave 5?
# 2. With `True`, which momentum forgets the first twenty runs, and which keeps them?


# %%
rng = np.random.RandomState(2)
batches = [mean + rng.randn(8, 1) for mean in 20 * [5] + 20 * [-5]]


def forty_runs(momentum, train_on):
    path = []
    with tf.Graph().as_default(), tf.Session() as session:
        x, training = tf.placeholder(tf.float32, [None, 1]), tf.placeholder(tf.bool, [])
        state = batch_norm_variables(1)
        y = batch_norm(x, training, *state, momentum, 1e-3)
        session.run(tf.global_variables_initializer())
        for run, batch in enumerate(batches):
            session.run(y, {x: batch, training: run < 20 or train_on})
            path.append(session.run(state[2])[0])
    return figures.path_of_the_mean(path, 20, train_on)


# %% slide="fragment"
explore(
    forty_runs,
    momentum=slider(0.8, 0.5, 0.99, 0.01, "momentum"),
    train_on=choice({"False": False, "True": True}, "training, runs 21 to 40"),
)

# %% [markdown]
# <details><summary>The answers</summary>
#
# 1. It must not: the curve is flat from run 21 on, whatever is fed.
# 2. The old value's share after twenty steps is momentum²⁰: 0.01 at 0.8, so the first half is
#    forgotten; 0.82 at 0.99, so it is kept, but then the first half was hardly learned either.
#
# </details>

# %% [markdown]
# **Now break it.** Change your `batch_norm` so that the assigns are made before `tf.cond` and only
# waited for inside. Run the cell, `check` it (the check knows this mistake), then run the last two
# cells again and move the control. How far does the mean go while the flag says False? Put the
# right version back.

# %% [markdown] slide="slide"
# ## The same numbers as in NumPy
#
# `answer_to("bn-layer")` fetches **your own** `BatchNorm` from your notebook of lesson 02. Both
# layers get the same $\gamma$, $\beta$, momentum and $\varepsilon$ and train on the same five
# batches, in float64. Agreement to $10^{-6}$ in everything: output, statistics, prediction.

# %% slide="fragment" long="one comparison, start to end"
layer = answer_to("bn-layer")(3, momentum=0.9, eps=1e-3)
layer.gamma, layer.beta = np.array([1.5, -2.0, 0.5]), np.array([0.0, 1.0, -3.0])
rng = np.random.RandomState(3)
batches = [rng.randn(6, 3) * [1, 2, 3] + [4, -2, 10] for step in range(5)]


def agree(what, ours, theirs):
    print(f"{what:22} agree to 1e-6: {np.abs(ours - theirs).max() < 1e-6}")


with tf.Graph().as_default(), tf.Session() as session:
    x, training = tf.placeholder(tf.float64, [None, 3]), tf.placeholder(tf.bool, [])
    state = [tf.Variable(v) for v in (layer.gamma, layer.beta, np.zeros(3), np.ones(3))]
    y = batch_norm(x, training, *state, 0.9, 1e-3)
    session.run(tf.global_variables_initializer())
    for step, batch in enumerate(batches, 1):
        out = session.run(y, {x: batch, training: True})
        agree(f"training output, step {step}", out, layer(batch, training=True))
    agree("moving mean", session.run(state[2]), layer.moving_mean)
    agree("moving variance", session.run(state[3]), layer.moving_var)
    new = batches[0] + 1
    agree("prediction", session.run(y, {x: new, training: False}), layer(new, training=False))

# %% [markdown]
# A convolution's batch norm is the same thing once more: its moments over (m, p, q) are those of
# m · p · q samples of C features. So the NumPy layer can stand in for it, after a `reshape`.

# %%
layer = answer_to("bn-layer")(3, momentum=0.8, eps=1e-3)
images = 7 + 2 * np.random.RandomState(4).randn(4, 5, 6, 3)
rows = images.reshape(-1, 3)  # (m, p, q, C) -> (m·p·q, C)

with tf.Graph().as_default(), tf.Session() as session:
    x, training = tf.placeholder(tf.float64, [None, 5, 6, 3]), tf.placeholder(tf.bool, [])
    state = [tf.Variable(v) for v in (np.ones(3), np.zeros(3), np.zeros(3), np.ones(3))]
    y = batch_norm(x, training, *state, 0.8, 1e-3)
    session.run(tf.global_variables_initializer())
    out = session.run(y, {x: images, training: True}).reshape(-1, 3)
    agree("training output", out, layer(rows, training=True))
    agree("moving mean", session.run(state[2]), layer.moving_mean)
    agree("moving variance", session.run(state[3]), layer.moving_var)

# %% [markdown]
# ## In the wild
#
# - **Assigns made before `tf.cond`.** In an LSTM with batch norm they "will always be executed
#   despite the value of training" ([OlavHN/bnlstm#13](https://github.com/OlavHN/bnlstm/issues/13)).
#   The same in a moving average
#   ([tensorflow/tensorflow#1724](https://github.com/tensorflow/tensorflow/issues/1724)) and in a
#   tutorial
#   ([pkmital/tensorflow_tutorials#25](https://github.com/pkmital/tensorflow_tutorials/pull/25)).
# - **Everybody wrote this layer.** "Easy to use batch norm layer"
#   ([tensorflow/tensorflow#1122](https://github.com/tensorflow/tensorflow/issues/1122)) was still
#   argued over in May 2017, ten months after a comment had pointed to
#   `tf.contrib.layers.batch_norm`, which takes a placeholder too.

# %% [markdown] slide="slide"
# ## Recap
#
# 1. `tf.nn.moments` measures, over every axis but the last; `tf.nn.batch_normalization` applies.
#    Neither remembers.
# 2. Offset comes before scale: name the arguments.
# 3. The memory is two variables that the optimizer must not train and a `Saver` must save.
# 4. An assign moves them, if somebody runs it.
# 5. `tf.cond` chooses among ops made **inside** its functions; what was made before runs anyway.
#
# **To remember: batch norm in a graph is a formula, two variables, and two assigns that somebody
# must run.**
#
# Next: lesson 06, where `tf.layers` makes all of this for you, except that last part.

# %% [markdown] slide="slide"
# **References.** S. Ioffe and C. Szegedy, *Batch Normalization*, ICML 2015, algorithm 2. On
# `tf.nn.moments` and `tf.nn.batch_normalization`: the TensorFlow API documentation,
# `tf.compat.v1.nn`.
