# %% [markdown] slide="slide"
# # Dropout by hand
#
# **What is thrown away, and what is promised?**

# %% [markdown]
# When you are through you can write dropout forwards and backwards in NumPy, for numbers and for
# whole channels, say what it promises and what it does not, read `tf.nn.dropout` of either version,
# and test code whose output is random.
#
# You need: what the expectation of a random number is; lesson 00 (the layouts of images) and lesson
# 04 (graphs and sessions). Lesson 03 helps with the way back. Time: 75 minutes; a good place to
# pause is after `do-forward`.

# %% role="setup"
import numpy as np

from labsupport import check, hint, needs
from labsupport.controls import explore, slider
from labsupport.data import load_mnist
from labsupport.exercises.dropout_by_hand import patients
from labsupport.figures import dropout_by_hand as figures

# %% [markdown] slide="slide"
# ## How much of a digit do you need?
#
# A digit has 784 pixels. We set some of them to 0, chosen at random: none, half, 80 %, 95 %.
#
# **Predict before you run:** up to where can you still read it? And a unit of the next layer adds
# up all the pixels: which part of its sum is left in each picture?

# %% slide="fragment"
digit = load_mnist()[2][3]
order = np.random.RandomState(0).permutation(784)
pictures = {}
for thrown in (0.0, 0.5, 0.8, 0.95):
    pixels = digit.flatten()
    pixels[order[: int(thrown * 784)]] = 0
    pictures[f"{thrown:.0%} thrown away"] = pixels.reshape(28, 28)
figures.thinned(pictures)

# %% [markdown]
# <details><summary>What happened?</summary>
#
# With half of the pixels gone the 8 still stands there, and at 80 % its outline can be guessed:
# pixels repeat what their neighbours say. A network that is trained with some of them missing,
# others in every step, cannot lean on any single one. That is the hope behind dropout.
#
# But the ink shrinks, about in proportion to what is kept: from 99 to 55, 24 and 5. A unit that has
# learned what a sum of 24 means would meet 99 once nothing is dropped any more. Something must be
# done about the scale.
#
# </details>

# %% [markdown] slide="slide"
# ## The idea
#
# In training, **throw each number away with probability $d$, and multiply what survives so that
# the expectation stays what it was**. At prediction, do nothing.
#
# For each number $x_i$ draw $r_i$, on its own: 0 with probability $d$, else 1. Then
#
# $$y_i = \frac{r_i}{1 - d}\; x_i \qquad\qquad
# E[y_i] = \underbrace{d \cdot 0}_{\text{dropped}} +
# \underbrace{(1 - d) \cdot \frac{x_i}{1 - d}}_{\text{kept}} = x_i$$
#
# In code $d$ is `drop_prob`, and the array of all $r_i$ is the **mask**.

# %% [markdown]
# As Srivastava et al. (2014) first describe it, nothing is scaled in training, and the weights are
# multiplied by $1 - d$ at prediction. The form above is called **inverted** dropout. TensorFlow,
# Keras and PyTorch all use it: a network that predicts need not know that there ever was any
# dropout.
#
# Two ends need a thought. With $d = 0$ nothing is dropped and the factor is 1. With $d = 1$
# everything is dropped, and the factor would be 1/0: a computer's $0 \cdot \frac{1}{0}$ is NaN, or
# an error. What should come out is 0.

# %% [markdown] slide="slide"
# ## Exercise: dropout
#
# Write `dropout(x, drop_prob, training)`.
#
# - `x`: an array of floats with any number of axes. Leave it unchanged.
# - `training=True`: each number is dropped with probability `drop_prob`, from 0 to 1 **inclusive**,
#   by a draw of its own, anew at every call. Return an array of the shape of `x`.
# - `training=False`: return `x` as it is.
#
# Draw with whatever you like: `np.random`, a `default_rng`, Python's `random`.


# %% role="answer" exercise="do-forward"
def dropout(x, drop_prob, training):
    ### BEGIN SOLUTION
    if not training:
        return x
    if drop_prob == 1:
        return np.zeros_like(x)
    mask = np.random.random_sample(x.shape) >= drop_prob
    return mask * x / (1 - drop_prob)
    ### END SOLUTION


# %% role="check" exercise="do-forward"
check("do-forward")

# %% role="hint" exercise="do-forward"
# hint("do-forward")  # take the first # away and run: one hint at a time

# %% [markdown]
# <details><summary>How can a random answer be checked?</summary>
#
# By counting. The check drops 24,000 numbers at about 0.33 and 0.67 and asks: is the share within
# 0.02? By which one factor did the survivors grow? Do neighbours, and two calls, agree as often as
# independent draws would? A right answer fails it less than once in a million checks; the
# probability is a sum of binomial tails. Where your numbers share their draws, fewer are left to
# count: the check then says only what so few can tell.
#
# It does not test at 0.5. There $d = 1 - d$, and someone who confuses keeping with dropping is
# right by accident.
#
# </details>

# %% [markdown] slide="slide"
# ## What is promised
#
# One number, x = 3, goes through your `dropout` again and again. The histogram shows 2,000
# averages, each of as many outputs as the second slider says.
#
# **Predict before you move anything:** with one draw and drop_prob 0.5, which values occur? What
# does a larger drop_prob do to the mean, and to the spread? What does averaging do to each?

# %% slide="fragment"
np.random.seed(1)


def with_settings(drop_prob, draws):
    outputs = dropout(np.full((2000, draws), 3.0), drop_prob, training=True)
    return figures.averages(outputs.mean(axis=1), 3.0, drop_prob, draws)


explore(
    with_settings,
    drop_prob=slider(0.5, 0.0, 0.8, 0.05, "drop_prob"),
    draws=slider(10, 1, 200, 1, "draws per average"),
)

# %% [markdown]
# <details><summary>What it shows</summary>
#
# One draw: only 0 and 6. The mean stays near 3 wherever you move the sliders: that is the promise.
# The spread is not promised. From $E[y_i^2] = (1-d)\,\frac{x_i^2}{(1-d)^2}$ follows
#
# $$\mathrm{Var}[y_i] = x_i^2\, \frac{d}{1 - d}$$
#
# so it grows with $d$, and averaging $n$ draws divides it by $n$. At 0.5 and 10 draws the standard
# deviation is $3 / \sqrt{10} = 0.95$; at 0.8 it is twice that.
#
# </details>

# %% [markdown]
# Only the mean of $y_i$ itself is kept. Whatever is not linear in it sees the difference between
# training and prediction: here the square, and a ReLU of a sum.

# %%
np.random.seed(2)
x = np.array([1.0, -2.0, 3.0, -1.0])  # the sum is 1
y = dropout(np.tile(x, (100_000, 1)), 0.4, training=True)
sums = y.sum(axis=1)
for label, seen, without in (
    ("the sum", sums, x.sum()),
    ("the first, squared", y[:, 0] ** 2, x[0] ** 2),
    ("ReLU of the sum", np.maximum(sums, 0), max(x.sum(), 0)),
):
    print(f"mean of {label:<19} {seen.mean():.1f}, without dropout {without:.1f}")

# %% [markdown]
# This is why dropout just before batch norm can do harm: the variance that batch norm stores in
# training is not the one it meets at prediction (Li et al. 2018). At the output of a regression,
# dropout adds its own variance to the squared error; lesson 09 measures that.

# %% [markdown] slide="slide"
# ## One call, two meanings
#
# TensorFlow's version 1 calls the second argument of `tf.nn.dropout` `keep_prob`; version 2 calls
# it `rate`. TensorFlow 2.21 still contains both.
#
# **Predict before you run:** which share of 10,000 ones is 0 after `dropout(ones, 0.8)`, in version
# 1 and in version 2? And what are the survivors?

# %%
from labsupport.tf1 import tf  # version 1

ones = np.ones(10_000, dtype="float32")

import tensorflow as tf2  # version 2 of the same TensorFlow; labsupport.tf1 goes first


def report(label, make):
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(1)
        y = session.run(make())
    print(f"{label:<34} zeros {(y == 0).mean():.2f}, largest {y.max():.2f}")


# %% slide="fragment"
report("version 1: dropout(x, 0.8)", lambda: tf.nn.dropout(ones, 0.8))
report("version 2: dropout(x, 0.8)", lambda: tf2.nn.dropout(ones, 0.8))
report("version 1: dropout(x, rate=0.8)", lambda: tf.nn.dropout(ones, rate=0.8))
report("tf.layers.dropout(x, 0.8)", lambda: tf.layers.dropout(ones, 0.8))
report("… with training=True", lambda: tf.layers.dropout(ones, 0.8, training=True))

# %% [markdown]
# <details><summary>What happened?</summary>
#
# The same call keeps 80 % in version 1 and drops 80 % in version 2. Both keep the promise: the
# survivors are 1.25, or 5. No error, no warning, the right mean; a network ported by changing the
# import only is regularized far too hard, or far too little.
#
# `tf.layers.dropout` takes the *rate*, in version 1 too, and its `training` is False unless you say
# otherwise: then it does nothing at all.
#
# So: **write the argument's name**, `rate=`. In version 2 `keep_prob=` is then an error, as it
# should be.
#
# </details>

# %% [markdown]
# The two ends, in TensorFlow:


# %%
def attempt(label, make):
    try:
        report(label, make)
    except ValueError as error:
        print(f"{label:<34} ValueError: {str(error)[:56]}…")


attempt("rate=0", lambda: tf2.nn.dropout(ones, rate=0.0))
attempt("rate=1", lambda: tf2.nn.dropout(ones, rate=1.0))
attempt("rate=1 as a tensor", lambda: tf2.nn.dropout(ones, rate=tf.constant(1.0)))

# %% [markdown]
# A number 1 is refused, a tensor of value 1 is not: its value is not known when the graph is built.

# %% [markdown] slide="slide"
# ## What a seed means in a graph
#
# Two dropout operations, `a` and `b`, on eight ones; `x` marks a survivor. Each line is one
# `session.run([a, b])`. There are two sessions with two runs each.
#
# **Predict before you run:** with `seed=1` for both operations, do `a` and `b` agree? Do the two
# runs? Do the two sessions?


# %%
def runs(op_seed, graph_seed):
    print(f"operation seed {op_seed}, graph seed {graph_seed}")
    with tf.Graph().as_default():
        tf.set_random_seed(graph_seed)
        a, b = (tf.nn.dropout(np.ones(8, "f"), rate=0.5, seed=op_seed) for _ in range(2))
        for session_number in (1, 2):
            with tf.Session() as session:
                for run in (1, 2):
                    masks = ("".join(".x"[int(v > 0)] for v in y) for y in session.run([a, b]))
                    print(f"  session {session_number}, run {run}:  ", *masks)


# %% slide="fragment"
runs(op_seed=1, graph_seed=None)
runs(op_seed=None, graph_seed=1)

# %% [markdown]
# <details><summary>What happened?</summary>
#
# A seed fixes the **sequence** of draws of an operation, not one draw. The next run goes on in the
# sequence, so masks stay fresh from step to step; a new session starts it again.
#
# With the same operation seed, `a` and `b` are twins: two layers that always drop the same places.
# With a graph seed and no operation seeds, TensorFlow gives each operation one of its own, from the
# graph's seed and the order in which operations were made. So one operation more in the graph can
# change all masks after it. With neither seed, nothing repeats.
#
# </details>

# %% [markdown] slide="slide"
# ## The way back
#
# Once the $r_i$ are drawn, $y_i = \frac{r_i}{1-d}\,x_i$ is a multiplication by a constant, so
#
# $$\frac{\partial L}{\partial x_i} = \frac{r_i}{1 - d} \cdot \frac{\partial L}{\partial y_i}$$
#
# **The same $r_i$.** A dropped number had no influence on the loss, so it gets no gradient. The
# mask has to be remembered until the gradient comes.

# %% [markdown]
# **Exercise.** Write the class `Dropout`:
#
# - `layer = Dropout(drop_prob)` makes a layer;
# - `layer(x, training)` is your `dropout`, and remembers what `backward` will need;
# - `layer.backward(dy)` returns `dx` for the **last** forward pass, whichever it was: of training
#   or not. Leave `dy` unchanged.


# %% role="answer" exercise="do-backward"
class Dropout:
    """Dropout. Methods: __init__, __call__(self, x, training), and backward(self, dy)."""

    def __init__(self, drop_prob):
        ### BEGIN SOLUTION
        self.drop_prob = drop_prob

    def __call__(self, x, training):
        self.factor = dropout(np.ones_like(x), self.drop_prob, training)
        return x * self.factor

    def backward(self, dy):
        return dy * self.factor
        ### END SOLUTION


# %% role="check" exercise="do-backward"
check("do-backward")

# %% role="hint" exercise="do-backward"
# hint("do-backward")  # take the first # away and run: one hint at a time

# %% [markdown]
# A numerical gradient is of no use here: each of its two evaluations would draw its own mask. But
# with one mask, $\sum_i dx_i\, x_i$ and $\sum_i dy_i\, y_i$ are the same sum, term by term. One
# forward pass, one backward pass, two sums:

# %%
np.random.seed(3)
x, dy = np.random.randn(2, 50, 40)
layer = Dropout(0.3)
y = layer(x, training=True)
print("same mask:  ", np.isclose((dy * y).sum(), (layer.backward(dy) * x).sum()))
layer(x, training=True)  # another pass: the layer now remembers another mask
print("other mask: ", np.isclose((dy * y).sum(), (layer.backward(dy) * x).sum()))

# %% [markdown]
# In a TensorFlow graph the same question reads: do `y` and its gradient belong to the same draw?
# They do in one `run`, and not in two:

# %%
with tf.Graph().as_default(), tf.Session() as session:
    x8 = tf.ones(8)
    y8 = tf.nn.dropout(x8, rate=0.5, seed=1)
    (g8,) = tf.gradients(y8, x8)
    together = session.run([y8, g8])
    apart = session.run(y8), session.run(g8)
    for label, (y, g) in (("one run", together), ("two runs", apart)):
        print(f"{label:<9} y {y.astype(int)}  gradient {g.astype(int)}")

# %% [markdown] slide="slide"
# ## Who shares a draw?
#
# In an image, a dropped pixel says little: its neighbours say nearly the same. Tompson et al.
# (2015) therefore drop **whole channels**: *spatial dropout*. All pixels of a channel share one
# draw.
#
# In TensorFlow this is `noise_shape`: the shape of the array of draws. Where it has a 1, numbers
# share a draw, by broadcasting.
#
# **Predict before you run:** two images of 1 × 3 pixels and 4 channels, NHWC. How many draws are
# there with each `noise_shape`?


# %% slide="fragment"
def shared(noise_shape):
    with tf.Graph().as_default(), tf.Session() as session:
        y = tf.nn.dropout(tf.ones([2, 1, 3, 4]), rate=0.5, noise_shape=noise_shape, seed=4)
        y = session.run(y)
    print(f"noise_shape {noise_shape}: {np.prod(noise_shape)} draws")
    for number, image in enumerate(y):
        groups = ("".join(".x"[int(v > 0)] for v in channel) for channel in image[0].T)
        print(f"    image {number}, channel by channel:", *groups)


shared([2, 1, 3, 4])
shared([2, 1, 1, 4])
shared([1, 1, 1, 4])
shared([2, 1, 1, 1])

# %% [markdown]
# From top to bottom: every number for itself; channels, image by image (spatial dropout); the same
# channels in all images; whole images. Only the shape of the draws differs, and every one of them
# keeps the promise $E[y_i] = x_i$. The mean cannot tell you which one you have.

# %% [markdown] slide="slide"
# ## Exercise: spatial dropout
#
# Write `spatial_dropout(x, drop_prob)`, for training only. `x` has the shape (m, p, q, C), NHWC:
# m images of p × q pixels and C channels. **Each channel of each image** is kept or dropped as a
# whole, with its own draw. `drop_prob` may again be 0 or 1.


# %% role="answer" exercise="do-noise-shape"
def spatial_dropout(x, drop_prob):
    ### BEGIN SOLUTION
    m, _, _, channels = x.shape
    return x * dropout(np.ones((m, 1, 1, channels)), drop_prob, training=True)
    ### END SOLUTION


# %% role="check" exercise="do-noise-shape"
check("do-noise-shape")

# %% role="hint" exercise="do-noise-shape"
# hint("do-noise-shape")  # take the first # away and run: one hint at a time

# %% [markdown] slide="slide"
# ## The digit, channel by channel
#
# Five channels of one digit: its ink, and its edges to four sides, as a first convolution might
# find them. Half is dropped, in two ways.
#
# **Predict before you run:** after which of the two could you still draw every channel?

# %%
names = ["ink", "left edge", "right edge", "upper edge", "lower edge"]
channels = [digit]
for axis in (1, 0):
    channels += [np.maximum(digit - np.roll(digit, step, axis), 0) for step in (1, -1)]
digit5 = np.stack(channels, axis=-1)  # (28, 28, 5)

# %% slide="fragment"
np.random.seed(6)
rows = {"before": digit5, "dropout": dropout(digit5, 0.5, training=True)}
rows["spatial"] = spatial_dropout(digit5[None], 0.5)[0]
figures.channels(rows, names)

# %% [markdown]
# How much do neighbours repeat each other? Over 1,000 digits:

# %%
many = load_mnist()[2]
left, right = many[:, :, :-1].ravel(), many[:, :, 1:].ravel()
print(f"correlation of a pixel with its right neighbour: {np.corrcoef(left, right)[0, 1]:.2f}")
two_left, two_right = many[:, :, :-6].ravel(), many[:, :, 6:].ravel()
print(f"with the pixel six to the right: {np.corrcoef(two_left, two_right)[0, 1]:.2f}")

# %% [markdown]
# <details><summary>What it shows</summary>
#
# (The survivors are darker because they are doubled.) After ordinary dropout every channel can
# still be made out: what is missing at one pixel stands beside it. After spatial dropout a channel
# is there or not, and the network has to do without it. Tompson et al. report that ordinary dropout
# before a 1 × 1 convolution made training longer and did not prevent overfitting.
#
# </details>

# %% [markdown] slide="slide"
# ## Now break it
#
# Six layers, `patients["A"]` to `patients["F"]`, are called like your `dropout`. **In each at
# most one thing is wrong.** Examine them. Start with what everybody tries: `drop_prob` 0.5.


# %%
def examine(layer, drop_prob):
    """Share of zeros, mean, whole rows, agreement of two calls; at prediction: mean, zeros."""
    np.random.seed(0)
    ones = np.ones((200, 100))
    y, again = (layer(ones, drop_prob, True) for _ in range(2))
    whole_rows = (y == y[:, :1]).all(axis=1).mean()
    predicted = layer(ones, drop_prob, False)
    training = (y == 0).mean(), y.mean(), whole_rows, (y == again).mean()
    return *training, predicted.mean(), (predicted == 0).mean()


# %% slide="fragment"
print("       training:                           prediction:")
print("       zeros  mean   same in row  in call  mean   zeros")
for name, patient in patients.items():
    zeros, mean, row, call, p_mean, p_zeros = examine(patient, drop_prob=0.5)
    print(f"{name:<6} {zeros:.2f}   {mean:.2f}   {row:.2f}         {call:.2f}     ", end="")
    print(f"{p_mean:.2f}   {p_zeros:.2f}")

# %% [markdown]
# Some of them pass every line of this. Change `drop_prob`, and look again.
#
# **Exercise.** Make `diagnosis`, a dictionary from each patient's letter to one of these:
#
# | diagnosis | what it does |
# | --- | --- |
# | `"healthy"` | nothing wrong |
# | `"swapped"` | keeps where it should drop, and scales to match |
# | `"unscaled"` | does not scale |
# | `"wrong factor"` | drops the right share, scales by 1 / drop_prob |
# | `"rows"` | drops whole samples |
# | `"same mask"` | draws the same mask in every call |
# | `"never off"` | drops at prediction too |
# | `"scaled again"` | scales at prediction too |

# %% role="answer" exercise="do-which"
### BEGIN SOLUTION
diagnosis = {
    "A": "wrong factor",
    "B": "rows",
    "C": "scaled again",
    "D": "swapped",
    "E": "same mask",
    "F": "never off",
}
### END SOLUTION

# %% role="check" exercise="do-which"
check("do-which")

# %% role="hint" exercise="do-which"
# hint("do-which")  # take the first # away and run: one hint at a time

# %% [markdown]
# <details><summary>What it teaches about testing</summary>
#
# Two of the six are invisible at 0.5, and one of those has the right mean at every drop_prob. One
# is invisible in a single call, two in training. A test of random code needs the share, the factor,
# the sharing, a second call, and prediction; and a drop_prob that is not its own complement.
#
# </details>

# %% [markdown]
# ## In the wild
#
# - **Keep or drop?** A collection of TensorFlow examples called 0.75 the "probability to keep
#   units" and passed it to `tf.layers.dropout`, as the rate
#   ([aymericdamien/TensorFlow-Examples#205](https://github.com/aymericdamien/TensorFlow-Examples/issues/205));
#   a lab course did the same with 0.7
#   ([hunkim/DeepLearningZeroToAll#122](https://github.com/hunkim/DeepLearningZeroToAll/issues/122)).
#   In the first, whoever reported it had found the results with 0.75 and 0.25 nearly alike.
# - **Always the same mask.** Paddle's dropout operator used one fixed seed
#   ([PaddlePaddle/Paddle#7796](https://github.com/PaddlePaddle/Paddle/issues/7796)).

# %% [markdown]
# - **Drop everything.** Flax's Dropout gave NaN at rate 1, until it was handled on its own
#   ([google/flax#2055](https://github.com/google/flax/pull/2055)).
# - **Which axis is the channel?** PyTorch's `Dropout2d` took an input (C, H, W) for (N, C, L) and
#   dropped rows of pixels, not channels
#   ([pytorch/pytorch#69801](https://github.com/pytorch/pytorch/issues/69801)).
# - **A test that cannot see.** A course's test of dropout never looked at prediction; students who
#   forgot the flag passed it and met "mysterious accuracy error" at the end
#   ([dlsyscourse/hw2#13](https://github.com/dlsyscourse/hw2/issues/13)).
# - **Never switched off.** A published model's evaluation ran with dropout active
#   ([ipolharvard/ethos-ares#20](https://github.com/ipolharvard/ethos-ares/issues/20)).

# %% [markdown] slide="slide"
# ## Recap
#
# 1. In training each number is 0 with probability $d$, else divided by $1 - d$; at prediction
#    nothing happens.
# 2. Promised is the mean, $E[y] = x$. The variance is not: it is $x^2 d / (1 - d)$.
# 3. The gradient meets the same mask and the same factor.
# 4. `keep_prob` (version 1) and `rate` (version 2, and all layers) are complements: write the name.
# 5. `noise_shape` says who shares a draw; a seed fixes a sequence of draws, not a draw.
#
# **To remember: dropout throws numbers away and promises the mean; test both, and not at 0.5.**
#
# Next: lesson 09, where dropout has to show what it is good for.

# %% [markdown] slide="slide"
# **References.** N. Srivastava et al., *Dropout: A Simple Way to Prevent Neural Networks from
# Overfitting*, JMLR 2014. J. Tompson et al., *Efficient Object Localization Using Convolutional
# Networks*, CVPR 2015. X. Li et al., *Understanding the Disharmony between Dropout and Batch
# Normalization by Variance Shift*, arXiv:1801.05134, 2018; CVPR 2019.
