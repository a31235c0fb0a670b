# %% [markdown] slide="slide"
# # Moving averages
#
# **What does prediction know about the batch?**

# %% [markdown]
# When you are through you can write batch norm as a layer that trains on batches and predicts one
# sample at a time, say how long its memory takes to warm up, and tell from a network's predictions
# that this memory is at fault.
#
# You need: lesson 01. Time: 75 minutes.

# %% role="setup"
import numpy as np

from labsupport import check, hint, needs
from labsupport.controls import choice, explore, slider, tick
from labsupport.data import load_mnist
from labsupport.figures import moving_averages as figures

# %% [markdown] slide="slide"
# ## Accuracy on 1,000 samples, one at a time
#
# A small network reads digits: 784 pixels, 300 weighted sums with random weights, batch norm,
# ReLU, and a last layer fitted to 4,000 digits in batches of 100. Of 1,000 new digits, also in
# batches of 100, it reads 88 % right.
#
# **Predict before you run:** the same network, the same 1,000 digits, but in batches of 10, of 2,
# and one at a time. What does it get?

# %%
train_x, train_y, test_x, test_y = load_mnist(flat=True)
w1 = np.random.RandomState(0).randn(784, 300) / 28
train_z, test_z = train_x @ w1, test_x @ w1  # what batch norm gets


def by_own_batch(z):  # batch norm as in lesson 01, with γ = 1 and β = 0
    return (z - z.mean(axis=0)) / np.sqrt(z.var(axis=0) + 1e-5)


def hidden(z, normalize):
    return np.maximum(normalize(z), 0)


h = np.vstack([hidden(z, by_own_batch) for z in np.split(train_z, 40)])
w2 = np.linalg.solve(h.T @ h + np.eye(300), h.T @ np.eye(10)[train_y])  # least squares


# %% slide="fragment"
def accuracy(z, labels, batch_size, normalize):
    batches = np.split(z, len(z) // batch_size)
    scores = np.vstack([hidden(batch, normalize) @ w2 for batch in batches])
    return (scores.argmax(axis=1) == labels).mean()


own = {size: accuracy(test_z, test_y, size, by_own_batch) for size in (100, 10, 2, 1)}
figures.accuracy_by_batch({"by their own batch": own})

# %% [markdown]
# <details><summary>What happened?</summary>
#
# Alone, a sample is its own mean: $x - \mu = 0$ in every feature, so every digit gives ten scores
# of 0; `argmax` takes the first of equals and reads it as a 0. A tenth of the digits are zeros.
# In a batch of two each feature is +1 or −1, depending on which of the two had more of it: the
# order survives, the amounts are gone. Nothing is wrong with the weights. They have not changed.
#
# </details>

# %% [markdown] slide="slide"
# ## It is not only the size
#
# Batches of 100 again, but the test digits are sorted first: a batch of a hundred zeros, a batch
# of a hundred ones, and so on.
#
# **Predict before you run:** more than 88 %, about 88 %, or much less?

# %% slide="fragment"
order = np.argsort(test_y, kind="stable")
own["100, sorted"] = accuracy(test_z[order], test_y[order], 100, by_own_batch)
for kind in (100, "100, sorted"):
    print(f"{kind!s:>11}: {own[kind]:.1%}")

# %% [markdown]
# <details><summary>Why?</summary>
#
# Batch norm subtracts what the samples of a batch have in common. In a batch of zeros that is
# what makes them zeros. In training every batch was a mixture, and the last layer relies on it.
#
# So a prediction that uses batch statistics depends on how many others are predicted with it, and
# on which ones. Neither is a property of the digit.
#
# </details>

# %% [markdown] slide="slide"
# ## The way out: remember
#
# Prediction needs a $\mu$ and a $\sigma^2$ that belong to **no batch**: those of the training data
# as a whole. But the weights change with every step, and with them all $\mu$ and $\sigma^2$; what
# the first batches said is soon out of date. So keep a **moving average**: after each batch, move
# a little towards it.
#
# $$
# \begin{aligned}
# \mu_\text{moving} &\leftarrow \text{momentum}\cdot\mu_\text{moving} +
# (1 - \text{momentum})\cdot\mu \\
# \sigma^2_\text{moving} &\leftarrow \text{momentum}\cdot\sigma^2_\text{moving} +
# (1 - \text{momentum})\cdot\sigma^2
# \end{aligned}
# $$

# %% [markdown]
# The momentum is the weight of the **old** value, for example 0.9. (PyTorch uses the word the
# other way round; more on that below.) Training goes on normalizing with $\mu$ and $\sigma^2$ of
# the batch. It writes the moving statistics and does not read them; prediction reads them and
# does not write them.

# %% [markdown] slide="slide"
# ## Exercise: one step
#
# Write `update_moving(moving_mean, moving_var, x, momentum)` for a batch `x` of shape (m, D).
# Return the pair of the new moving mean and the new moving variance, of shape (D,) each.
#
# The variance of the batch divides by m, as in lesson 01. Changing the two arrays in place is
# fine too; changing `x` is not.


# %% role="answer" exercise="bn-moving"
def update_moving(moving_mean, moving_var, x, momentum):
    ### BEGIN SOLUTION
    mu = x.mean(axis=0)
    var = ((x - mu) ** 2).mean(axis=0)
    moving_mean = momentum * moving_mean + (1 - momentum) * mu
    moving_var = momentum * moving_var + (1 - momentum) * var
    return moving_mean, moving_var
    ### END SOLUTION


# %% role="check" exercise="bn-moving"
check("bn-moving")

# %% role="hint" exercise="bn-moving"
# hint("bn-moving")  # take the first # away and run: one hint at a time

# %% [markdown] slide="slide"
# ## How long a memory?
#
# A feature with mean 5 comes in batches of 32. Move the controls:
#
# 1. With momentum 0.5, what does the moving mean follow that it should not? With 0.999, where is
#    it after 200 steps?
# 2. Let the weights change half-way, so that the mean becomes 8. Which momentum notices soon, and
#    what does it pay for that?

# %%
batches = 3 * np.random.RandomState(0).randn(500, 32, 1)


def moving_mean_of(momentum, steps, start, change):
    truth = np.full(steps, 5.0)
    truth[steps // 2 :] += 3 * change
    mean, var, path = np.array([start]), np.ones(1), [start]
    for x in batches[:steps] + truth[:, None, None]:
        new = update_moving(mean, var, x, momentum)
        mean, var = (mean, var) if new is None else new  # None: changed in place
        path.append(np.ravel(mean)[0])
    return figures.moving_path(batches[:steps, :, 0].mean(axis=1) + truth, path, truth)


# %% slide="fragment"
explore(
    moving_mean_of,
    momentum=choice([0.5, 0.9, 0.99, 0.999], "momentum", value=0.9),
    steps=slider(200, 10, 500, 10, "steps"),
    start=slider(0.0, -5.0, 10.0, 0.5, "start value"),
    change=tick(False, "the weights change half-way"),
)

# %% [markdown]
# <details><summary>The answers</summary>
#
# 1. At 0.5 it follows each batch's accidents. At 0.999 it is smooth, and wrong: after 200 steps it
#    has come from 0 to 0.90.
# 2. Small momentum follows soon and is noisy; large momentum is smooth and late. It averages over
#    about $1/(1 - \text{momentum})$ batches, 10 at 0.9 and 100 at 0.99, and cannot be both smooth
#    and quick.
#
# </details>

# %% [markdown] slide="slide"
# ## Cold start
#
# The moving mean starts at 0. Suppose every batch has mean 5, exactly, and momentum is 0.99, the
# default of Keras and of `tf.layers`.
#
# **Predict before you run:** after 50 steps, has it covered 95 %, 60 % or 40 % of the way?

# %% slide="fragment"
x = np.array([[4.0], [6.0]])  # mean 5
mean, var = np.zeros(1), np.ones(1)
for step in range(1, 301):
    new = update_moving(mean, var, x, momentum=0.99)
    mean, var = (mean, var) if new is None else new
    if step in (1, 50, 100, 300):
        at = np.ravel(mean)[0]
        print(f"after {step:3} steps: {at:.3f}, that is {at / 5:.1%} of the way")

# %% [markdown]
# <details><summary>Why 39.5 %?</summary>
#
# Look at what is **missing**. One step makes of it
#
# $$5 - (0.99\,\mu_\text{moving} + 0.01 \cdot 5) = 0.99\,(5 - \mu_\text{moving}).$$
#
# So after n steps $0.99^n$ of the way is missing, wherever it began, and $0.99^{50} = 0.605$.
#
# Fifty steps is an epoch of 5,000 samples in batches of 100. A short run, a small data set or a
# quick test can be over before the memory is warm: training looks fine and prediction is bad.
#
# </details>

# %% [markdown] slide="slide"
# ## Exercise: how long is a cold start?
#
# Write `steps_to_reach(fraction, momentum)`: the smallest number of steps after which a moving
# average has covered at least `fraction` of the way to a value that stays the same. A loop or a
# formula, as you like; the answer is a whole number.


# %% role="answer" exercise="bn-warm-up"
def steps_to_reach(fraction, momentum):
    ### BEGIN SOLUTION
    missing, steps = 1.0, 0
    while missing > 1 - fraction:
        missing *= momentum
        steps += 1
    return steps
    ### END SOLUTION


# %% role="check" exercise="bn-warm-up"
check("bn-warm-up")

# %% role="hint" exercise="bn-warm-up"
# hint("bn-warm-up")  # take the first # away and run: one hint at a time

# %%
for momentum in (0.9, 0.99, 0.999):
    steps = [int(steps_to_reach(fraction, momentum)) for fraction in (0.5, 0.95, 0.99)]
    print("momentum {:<5}: half {:4}, 95 % {:5}, 99 % {:5} steps".format(momentum, *steps))

# %% [markdown]
# One more nine in the momentum, ten times as long.

# %% [markdown] slide="slide"
# ## Exercise: prediction
#
# $$
# \hat x = \frac{x - \mu_\text{moving}}{\sqrt{\sigma^2_\text{moving} + \varepsilon}} \qquad
# y = \gamma\,\hat x + \beta
# $$
#
# Write `batch_norm_predict(x, gamma, beta, moving_mean, moving_var, eps)`. `x` has shape (m, D),
# the others (D,), and `eps` is a number. What the function gives for a sample must not depend on
# the rest of `x`: the check tries the samples one at a time as well.


# %% role="answer" exercise="bn-predict"
def batch_norm_predict(x, gamma, beta, moving_mean, moving_var, eps):
    ### BEGIN SOLUTION
    x_hat = (x - moving_mean) / np.sqrt(moving_var + eps)
    return gamma * x_hat + beta
    ### END SOLUTION


# %% role="check" exercise="bn-predict"
check("bn-predict")

# %% role="hint" exercise="bn-predict"
# hint("bn-predict")  # take the first # away and run: one hint at a time

# %% [markdown]
# For this course 170 batch norms in public coursework were tried: 51 were wrong, and 35 of these
# gave the right *training* output. In prediction, 18 had forgotten ε, 8 had it outside the root,
# 4 had no root at all. With $\varepsilon = 10^{-5}$ the first two hardly show, which is why the
# check also uses a large one.

# %% [markdown] slide="slide"
# ## Exercise: the layer
#
# Now a class that remembers by itself:
#
# - `layer = BatchNorm(num_features, momentum=0.9, eps=1e-5)` has the attributes `gamma`, `beta`,
#   `moving_mean` and `moving_var`, arrays of shape (D,), where D is `num_features`. They start at
#   1, 0, 0 and 1.
# - `layer(x, training=True)` normalizes with the batch and moves the moving statistics;
# - `layer(x, training=False)` normalizes with the moving statistics and changes nothing.
#
# Write both methods, `__init__` and `__call__`.


# %% role="answer" exercise="bn-layer" long="a class with both of its methods"
class BatchNorm:
    """Batch norm of (m, D) batches."""

    def __init__(self, num_features, momentum=0.9, eps=1e-5):
        ### BEGIN SOLUTION
        self.momentum, self.eps = momentum, eps
        self.gamma = np.ones(num_features)
        self.beta = np.zeros(num_features)
        self.moving_mean = np.zeros(num_features)
        self.moving_var = np.ones(num_features)
        ### END SOLUTION

    def __call__(self, x, training):
        ### BEGIN SOLUTION
        mu, var = self.moving_mean, self.moving_var
        if training:
            mu, var = x.mean(axis=0), x.var(axis=0)
            old, new = self.momentum, 1 - self.momentum
            self.moving_mean = old * self.moving_mean + new * mu
            self.moving_var = old * self.moving_var + new * var
        x_hat = (x - mu) / np.sqrt(var + self.eps)
        return self.gamma * x_hat + self.beta
        ### END SOLUTION


# %% role="check" exercise="bn-layer"
check("bn-layer")

# %% role="hint" exercise="bn-layer"
# hint("bn-layer")  # take the first # away and run: one hint at a time

# %% [markdown]
# Four arrays, of two kinds. `gamma` and `beta` will be **learned**, by gradient, like weights
# (lesson 03). `moving_mean` and `moving_var` are only **averaged**: no gradient ever reaches them,
# and nothing but the calls with `training=True` keeps them up to date. In TensorFlow that update
# is easily lost; lessons 04 to 07 are about it.

# %% [markdown] slide="slide"
# ## The digits again
#
# Your layer in the network of the beginning: it sees the 40 training batches once, then predicts.
# The weights stay as they were.

# %% slide="fragment"
layer = BatchNorm(300)
for z in np.split(train_z, 40):
    layer(z, training=True)


def by_moving_statistics(z):  # of the layer that is called `layer` at the time
    return layer(z, training=False)


moving = {size: accuracy(test_z, test_y, size, by_moving_statistics) for size in (100, 10, 2, 1)}
moving["100, sorted"] = accuracy(test_z[order], test_y[order], 100, by_moving_statistics)
figures.accuracy_by_batch({"by their own batch": own, "by moving statistics": moving})

# %% [markdown]
# By moving statistics all bars are equal: each sample goes through the same arithmetic whoever
# comes with it. They are even a little above the best of the others: 100 samples make noisier
# statistics than an average over many batches.

# %% [markdown] slide="slide"
# ## The same, with a colder start
#
# **Predict before you run:** with momentum 0.9, 40 batches were enough. Where are predictions after
# the same 40 batches, an epoch, with 0.99, and where with 0.999?

# %% slide="fragment"
curves = {}
for momentum in (0.9, 0.99, 0.999):
    layer = BatchNorm(300, momentum=momentum)
    curve = [accuracy(test_z, test_y, 1000, by_moving_statistics)]
    for z in np.split(train_z, 40):
        layer(z, training=True)
        curve.append(accuracy(test_z, test_y, 1000, by_moving_statistics))
    curves[f"momentum {momentum}"] = curve
figures.accuracy_by_steps(curves, reference=own[100])

# %% [markdown]
# All three networks have the same weights and the same training output; only their memories
# differ. When training is good and validation is bad, look at the moving statistics first.

# %% [markdown] slide="slide"
# ## Now break it: one test for any layer
#
# A colleague hands you a layer. You cannot look inside; you can call it. Write
# `predicts_alone(layer, x)`: True if every sample of `x` gets the same prediction from
# `layer(…, training=False)` alone as together with the others, to within rounding; else False.
#
# The check brings twenty layers, three of them innocent. Which wrong tests would call a layer
# innocent that subtracts the mean of its batch?


# %% role="answer" exercise="bn-alone"
def predicts_alone(layer, x):
    ### BEGIN SOLUTION
    together = layer(x, training=False)
    alone = [layer(x[i : i + 1], training=False) for i in range(len(x))]
    return np.allclose(together, np.vstack(alone))
    ### END SOLUTION


# %% role="check" exercise="bn-alone"
check("bn-alone")

# %% role="hint" exercise="bn-alone"
# hint("bn-alone")  # take the first # away and run: one hint at a time

# %%
print("your layer:", predicts_alone(BatchNorm(300), test_z[:20]))
print("by its own batch:", predicts_alone(lambda z, training: by_own_batch(z), test_z[:20]))

# %% [markdown] slide="slide"
# ## Where to start: 0 or 1?
#
# A moving variance may start at 1, as in TensorFlow, Keras and PyTorch, or at 0, as in Stanford's
# course CS231n. Data with mean 5 and spread 3; a good prediction has spread 1.
#
# **Predict before you run:** what spread does a layer's prediction have before any training?

# %% slide="fragment"
data = 5 + 3 * np.random.RandomState(1).randn(1000, 1)
for start in (1.0, 0.0):
    layer = BatchNorm(1, momentum=0.9)
    layer.moving_var = np.array([start])
    spreads = {}
    for step in range(41):
        if step in (0, 1, 10, 40):
            spreads[step] = layer(data, training=False).std()
        layer(data, training=True)
    told = ", ".join(f"{spread:.3g} after {step}" for step, spread in spreads.items())
    print(f"variance from {start:.0f}: spread {told} steps")

# %% [markdown]
# <details><summary>What it means</summary>
#
# With a variance of 0 only ε is left under the root, and everything is multiplied by
# $1/\sqrt{10^{-5}} = 316$. With 1, a new layer passes its input on. After some steps the start
# makes no difference: its share shrinks by the momentum at every step.
#
# Two symptoms to remember. Predictions 316 times too large: started at 0 and **never updated**.
# Predictions as if there were no batch norm: started at 1 and never updated.
#
# </details>

# %% [markdown] slide="slide"
# ## Divided by m, or by m − 1?
#
# The variance of m samples is measured around *their own* mean, which sits in their middle. So it
# comes out too small, on average $\frac{m-1}{m}\sigma^2$. Here $\sigma^2 = 9$, and predictions
# divide by the root of what was stored:

# %% slide="fragment"
for m in (2, 4, 32):
    many = 3 * np.random.RandomState(2).randn(20_000, m)  # 20,000 batches
    stored = many.var(axis=1).mean()
    print(f"m = {m:2}: mean variance {stored:.2f}, spread of predictions {3 / stored**0.5:.2f}")

# %% [markdown]
# Trained in batches of two, this layer's predictions come out 42 % too wide. The paper therefore
# multiplies the variance by $\frac{m}{m-1}$ for prediction (Ioffe & Szegedy 2015, section 3.1).
# Libraries disagree, and not only about that:

# %% [markdown] slide="slide"
# ## Same words, other numbers
#
# | | momentum weighs | default | the stored variance divides by |
# | --- | --- | --- | --- |
# | this lesson | the old value | 0.9 | m |
# | PyTorch, (m, D) | the **new** value | 0.1 | **m − 1** |
# | Keras 3 | the old value | 0.99 | m |
# | `tf.layers`, (m, D) | the old value | 0.99 | m |
# | `tf.layers`, images | the old value | 0.99 | **m · p · q − 1** |
#
# PyTorch by its documentation; Keras 3.15 and TensorFlow 2.21 were tried. None of them is wrong. A
# number copied from one to another is.

# %% [markdown] slide="slide"
# ## Exercise: images
#
# The layer takes (m, D). Images of shape (m, C, p, q) need one mean per channel over m·p·q
# numbers, which is what a dense layer does with m·p·q rows and C columns.
#
# Write `batch_norm_images(layer, x, training)`: bring `x` into that shape, call
# `layer(…, training)` **once**, and bring its output back to (m, C, p, q). `layer` need not be
# yours: the check brings its own, and looks at what it is given.


# %% role="answer" exercise="bn-spatial"
def batch_norm_images(layer, x, training):
    ### BEGIN SOLUTION
    m, c, p, q = x.shape
    rows = x.transpose(0, 2, 3, 1).reshape(m * p * q, c)
    out = layer(rows, training)
    return out.reshape(m, p, q, c).transpose(0, 3, 1, 2)
    ### END SOLUTION


# %% role="check" exercise="bn-spatial"
check("bn-spatial")

# %% role="hint" exercise="bn-spatial"
# hint("bn-spatial")  # take the first # away and run: one hint at a time

# %%
images = 5 + 2 * np.random.RandomState(3).randn(8, 3, 6, 4)  # NCHW
layer = BatchNorm(3)
y = batch_norm_images(layer, images, training=True)
print("means of the channels:", y.mean(axis=(0, 2, 3)).round(6) + 0.0)
print("the layer remembers", layer.moving_mean.shape, "means")

# %% [markdown]
# ## In the wild
#
# - **Accuracy by batch size.** An image classifier got 41 % in batches of 8, 73 % in batches of
#   128, 81 % in batches of 256; `net.eval()` was missing
#   ([yangze0930/NTS-Net#46](https://github.com/yangze0930/NTS-Net/issues/46)).
# - **Sorted test data.** A video classifier was sure with shuffled test data and lost without; in
#   batches of one it saw class 57 almost everywhere
#   ([facebookarchive/C3D#277](https://github.com/facebookarchive/C3D/issues/277)).
# - **A benchmark.** An anomaly detector was tested in training mode, the normal samples first; with
#   `eval()` its area under the curve on one class fell from 0.58 to 0.41
#   ([samet-akcay/ganomaly#47](https://github.com/samet-akcay/ganomaly/issues/47)).

# %% [markdown]
# - **A molecule's neighbours.** The predicted value of one molecule changed with the others in the
#   file ([HIPS/neural-fingerprint#7](https://github.com/HIPS/neural-fingerprint/issues/7)).
# - **Momentum, the word.** A textbook turned its formula round to match PyTorch
#   ([d2l-ai/d2l-en#2213](https://github.com/d2l-ai/d2l-en/pull/2213)); a student believed that a
#   course had it wrong
#   ([cs231n/cs231n.github.io#180](https://github.com/cs231n/cs231n.github.io/issues/180)); a
#   library kept TensorFlow's numbers under PyTorch's meaning
#   ([ludwig-ai/ludwig#2100](https://github.com/ludwig-ai/ludwig/pull/2100)).
# - **m or m − 1.** PyTorch's documentation named only the variance that divides by m. What PyTorch
#   stores is the other, as a user found who compared
#   ([pytorch/pytorch#77427](https://github.com/pytorch/pytorch/issues/77427)); tinygrad had stored
#   the first ([tinygrad/tinygrad#807](https://github.com/tinygrad/tinygrad/pull/807)).

# %% [markdown] slide="slide"
# ## Recap
#
# 1. With batch statistics a prediction depends on who else is in the batch: 88 % in hundreds, 10 %
#    alone.
# 2. new = momentum · old + (1 − momentum) · batch, for mean and variance, in training only.
# 3. Prediction uses the moving statistics, with the same ε, γ and β, and changes nothing.
# 4. After n steps $\text{momentum}^n$ of the way is missing: 60.5 % after 50 steps at 0.99.
# 5. Libraries differ in what momentum weighs, and in m or m − 1.
#
# **To remember: training writes the moving statistics, prediction reads them.**
#
# Next: lesson 03, where the gradient has to pass through the mean.

# %% [markdown] slide="slide"
# **References.** S. Ioffe and C. Szegedy, *Batch Normalization: Accelerating Deep Network Training
# by Reducing Internal Covariate Shift*, ICML 2015, section 3.1 and algorithm 2. There the
# statistics are averaged when training is over; moving averages are for watching a network while
# it trains. Scoring test images one at a time to see whether batch norm works is an idea of
# Udacity's [batch-norm notebooks](https://github.com/udacity/deep-learning/tree/master/batch-norm)
# ("Accuracy on 100 samples").
