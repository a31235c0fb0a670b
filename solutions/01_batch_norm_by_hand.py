# %% [markdown] slide="slide"
# # Batch norm by hand
#
# **What does batch norm compute?**

# %% [markdown]
# When you are through you can write batch norm for dense and convolutional layers in NumPy, say
# which numbers share a mean, and choose test data that a wrong version cannot pass.
#
# You need: NumPy's broadcasting and `axis=`; what a convolution, its filters and its channels are;
# lesson 00. Time: 70 minutes.

# %% role="setup"
import numpy as np

from labsupport import check, hint, needs
from labsupport.controls import choice, explore, log_slider, slider
from labsupport.figures import batch_norm_by_hand as figures

# %% [markdown] slide="slide"
# ## Twenty layers, each a fifth too weak
#
# The network below has 20 layers of 100 units and random weights, without activation functions.
# Each layer gives out numbers with about 0.8 times the spread of what it gets in.
#
# **Predict before you run:** the input has standard deviation 1. What is it after layer 20:
# about 0.8, about 0.2, or about 0.01?

# %% slide="fragment"
rng = np.random.RandomState(0)
weights = [0.8 * rng.randn(100, 100) / np.sqrt(100) for layer in range(20)]


def spread_of_each_layer(x, after=lambda x: x):
    spreads = [x.std()]
    for w in weights:
        x = after(x @ w)
        spreads.append(x.std())
    return spreads


x_in = rng.randn(200, 100)
plain = spread_of_each_layer(x_in)
figures.spread_by_layer({"without batch norm": plain})

# %% [markdown]
# <details><summary>What happened?</summary>
#
# A spread of 0.01: factors multiply, and 0.8²⁰ = 0.0115. With 1.25 in place of 0.8 the spread
# would be 87. Gradients shrink or grow by the same factors on their way back, so the first layers
# hardly learn, or learn wildly. The scale of *every* layer has to be right, and to stay right
# while the weights change.
#
# </details>

# %% [markdown] slide="slide"
# ## The idea
#
# Do not hope for the right scale: **measure it in the batch and divide it out**, in every layer.
# That is batch norm (Ioffe & Szegedy 2015).
#
# For one feature, with the values $x_1 \dots x_m$ in the batch:
#
# $$
# \begin{aligned}
# \mu &= \frac1m \sum_{i=1}^m x_i &
# \sigma^2 &= \frac1m \sum_{i=1}^m (x_i - \mu)^2 \\
# \hat x_i &= \frac{x_i - \mu}{\sqrt{\sigma^2 + \varepsilon}} &
# y_i &= \gamma\,\hat x_i + \beta
# \end{aligned}
# $$

# %% [markdown]
# $\mu$ and $\sigma^2$ are computed anew for every batch. $\gamma$ and $\beta$ are learned, like
# weights: they let the network give a feature any spread and any mean after all, if that is what
# lowers the loss. $\varepsilon$ is a small constant that keeps the division possible when
# $\sigma^2$ is 0.
#
# In code, for the five values of one feature:

# %%
feature = np.array([4.0, 7.0, 5.0, 9.0, 5.0])
gamma, beta, eps = 2.0, 1.0, 1e-5

mu = feature.sum() / len(feature)
var = ((feature - mu) ** 2).sum() / len(feature)
x_hat = (feature - mu) / np.sqrt(var + eps)
y = gamma * x_hat + beta
print(f"mu = {mu}, var = {var}")
print("x_hat =", x_hat.round(3))
print(f"y has mean {y.mean():.3f} and standard deviation {y.std():.3f}")

# %% [markdown]
# The mean of $y$ is exactly $\beta$. Its standard deviation is $|\gamma|$, less a touch that
# $\varepsilon$ takes: it is $|\gamma|\,\sigma/\sqrt{\sigma^2 + \varepsilon}$. Both follow from
# the four equations in a line each, whatever the data. Keep them: they are a quick test of any
# batch norm. (A necessary one: a wrong function may pass it, as you will see below.)

# %% [markdown] slide="slide"
# ## Exercise: a whole layer
#
# A dense layer gives out an array `x` of shape (m, D): one row per sample, one column per feature.
# Every **feature** has its own $\mu$, $\sigma^2$, $\gamma$ and $\beta$.
#
# Write `batch_norm_dense(x, gamma, beta, eps)`. `gamma` and `beta` have shape (D,); return a new
# array of shape (m, D) and leave `x` unchanged.


# %% role="answer" exercise="bn-dense"
def batch_norm_dense(x, gamma, beta, eps):
    ### BEGIN SOLUTION
    mu = x.mean(axis=0)
    var = ((x - mu) ** 2).mean(axis=0)
    x_hat = (x - mu) / np.sqrt(var + eps)
    return gamma * x_hat + beta
    ### END SOLUTION


# %% role="check" exercise="bn-dense"
check("bn-dense")

# %% role="hint" exercise="bn-dense"
# hint("bn-dense")  # take the first # away and run: one hint at a time

# %% [markdown]
# Back to the twenty layers, now with your `batch_norm_dense` after each of them. (Until you have
# written it, this cell and others below stop with NotImplementedError.)


# %%
def normalized(x):
    return batch_norm_dense(x, np.ones(100), np.zeros(100), 1e-5)


with_batch_norm = spread_of_each_layer(x_in, after=normalized)
figures.spread_by_layer({"without batch norm": plain, "with batch norm": with_batch_norm})

# %% [markdown] slide="slide"
# ## A sample is no longer alone
#
# The same sample, (1, 2, 3), goes through your layer four times, each time with seven other
# samples. γ, β and ε stay as they are.
#
# **Predict before you run:** in which batch does it come out largest? And how far down can
# batch-mates push it?

# %% slide="fragment"
sample = np.array([[1.0, 2.0, 3.0]])
batches = {}
for name, mean in (
    ("small mates", -2),
    ("similar mates", 1),
    ("large mates", 4),
    ("huge mates", 40),
):
    mates = mean + np.random.RandomState(1).randn(7, 3)
    out = batch_norm_dense(np.vstack([sample, mates]), np.ones(3), np.zeros(3), 1e-5)
    batches[name] = out[:, 0]
figures.batch_mates(batches, marked="our sample")

# %% [markdown]
# <details><summary>Why?</summary>
#
# μ and σ² come from the whole batch, so every sample's output depends on every other sample. A
# dense layer or a convolution treats each sample alone. Small mates push ours up, huge ones down,
# but never past √(m − 1) = 2.65: that is as far as one of 8 numbers can be from their mean, in
# standard deviations.
#
# And when a sample comes alone? With m = 1 each $x_i - \mu$ is 0, so every output is β, whatever
# the sample. Lesson 02 is about the way out.
#
# </details>

# %% [markdown] slide="slide"
# ## What γ, β and ε do
#
# Move them. Two questions to answer with the sliders:
#
# 1. Set $\gamma$ and $\beta$ so that $y$ is $x$ again. Which values undo batch norm?
# 2. From which $\varepsilon$ on does the spread of $y$ visibly fall short of $|\gamma|$?

# %% slide="fragment"
column = np.array([[1.0], [2.5], [3.0], [4.5], [6.0], [7.0]])


def with_parameters(gamma, beta, eps):
    y = batch_norm_dense(column, np.array([gamma]), np.array([beta]), eps)
    return figures.one_feature(column[:, 0], y[:, 0])


explore(
    with_parameters,
    gamma=slider(1.0, -3.0, 3.0, 0.02, "γ"),
    beta=slider(0.0, -5.0, 5.0, 0.1, "β"),
    eps=log_slider(1e-5, -5, 2, "ε"),
)

# %% [markdown]
# <details><summary>The answers</summary>
#
# 1. γ = σ = 2.06 and β = μ = 4, for *this* batch. Other batches have another μ and σ, so what a
#    network can learn this way is roughly the way back, not exactly.
# 2. As soon as ε is not small against σ² = 4.25: the spread of y is 0.99 at ε = 0.056 and 0.94 at
#    0.56. Small is relative: a feature with σ² = 10⁻³ loses 29 % of its spread to ε = 10⁻³, the
#    default in Keras.
#
# </details>

# %% [markdown] slide="slide"
# ## Images: who shares a mean?
#
# A convolution gives out an array of shape (m, C, p, q): m images, C channels, p × q pixels. A
# channel comes from **one filter**, moved over the whole image. Normalizing it differently at
# different places would undo that sharing.
#
# The picture shows m = 3 images of C = 2 channels with p × q = 3 × 4 pixels. Each pixel carries the
# number of the mean that it goes into. **Predict before you press a button:** how many means will
# there be, and how many should there be for batch norm?

# %% slide="fragment"
axes_to_try = {
    "nothing": (),
    "m": (0,),
    "p, q": (2, 3),
    "C, p, q": (1, 2, 3),
    "m, p, q": (0, 2, 3),
    "everything": (0, 1, 2, 3),
}
explore(figures.shared_means, over=choice(axes_to_try, "average over", value=(0,)))

# %% [markdown]
# <details><summary>Which one is batch norm?</summary>
#
# One mean per channel: average over m, p and q. That is m · p · q numbers in each mean, where a
# dense layer has m. The others exist too: over p, q is *instance norm* (Ulyanov et al. 2016), over
# C, p, q is *layer norm* (Ba et al. 2016). Averaging over m alone, with a mean for each pixel, is a
# mistake after a convolution, and one that people make.
#
# </details>

# %% [markdown] slide="slide"
# ## Exercise: channels first
#
# Write `batch_norm_conv(x, gamma, beta, eps)` for `x` of shape (m, C, p, q), the layout called
# NCHW. `gamma` and `beta` have shape (C,); return a new array of the shape of `x`. With $i$ running
# over images, $j$ over rows and $k$ over columns,
#
# $$\mu_c = \frac{1}{m\,p\,q} \sum_{i,j,k} x_{icjk} \qquad
# \sigma_c^2 = \frac{1}{m\,p\,q} \sum_{i,j,k} (x_{icjk} - \mu_c)^2$$


# %% role="answer" exercise="bn-conv"
def batch_norm_conv(x, gamma, beta, eps):
    ### BEGIN SOLUTION
    mu = x.mean(axis=(0, 2, 3), keepdims=True)
    var = ((x - mu) ** 2).mean(axis=(0, 2, 3), keepdims=True)
    x_hat = (x - mu) / np.sqrt(var + eps)
    return gamma.reshape(1, -1, 1, 1) * x_hat + beta.reshape(1, -1, 1, 1)
    ### END SOLUTION


# %% role="check" exercise="bn-conv"
check("bn-conv")

# %% role="hint" exercise="bn-conv"
# hint("bn-conv")  # take the first # away and run: one hint at a time

# %% [markdown]
# Look at the shapes once more. `gamma` is (C,), and NumPy lines shapes up **from the right**:
#
# ```text
# x       (m, C, p, q)
# gamma           (C,)    meets q: an error, or, if C = q, a wrong result without a word
# ```
#
# The check tries both: images with C ≠ q, where NumPy complains, and with C = q, where only the
# numbers are wrong.

# %% [markdown] slide="slide"
# ## Exercise: channels last
#
# TensorFlow's default layout is (m, p, q, C), NHWC. Write `batch_norm_channels_last`. You may
# start afresh or reuse `batch_norm_conv`; both are short.


# %% role="answer" exercise="bn-channels-last"
def batch_norm_channels_last(x, gamma, beta, eps):
    ### BEGIN SOLUTION
    mu = x.mean(axis=(0, 1, 2))
    var = ((x - mu) ** 2).mean(axis=(0, 1, 2))
    x_hat = (x - mu) / np.sqrt(var + eps)
    return gamma * x_hat + beta
    ### END SOLUTION


# %% role="check" exercise="bn-channels-last"
check("bn-channels-last")

# %% role="hint" exercise="bn-channels-last"
# hint("bn-channels-last")  # take the first # away and run: one hint at a time

# %% [markdown]
# The layouts hold the same numbers in another order, so your two functions must agree: expect a
# difference below 10⁻¹², and the channels' means 0, 1 and 5. (Why these?)

# %%
images = 5 + 2 * np.random.RandomState(2).randn(4, 3, 6, 8)  # NCHW
gamma, beta = np.array([1.0, 2.0, -1.0]), np.array([0.0, 1.0, 5.0])

first = batch_norm_conv(images, gamma, beta, 1e-5)
last = batch_norm_channels_last(images.transpose(0, 2, 3, 1), gamma, beta, 1e-5)
print("they agree:", np.abs(first - last.transpose(0, 3, 1, 2)).max() < 1e-12)
print("means of the channels:", first.mean(axis=(0, 2, 3)).round(6) + 0.0)

# %% [markdown] slide="slide"
# ## Now break it
#
# This function looks right, and on these data it is:


# %% slide="fragment"
def impostor(x, eps=1e-5):
    mu = x.mean(axis=0)
    var = (x**2).mean(axis=0)
    return (x - mu) / np.sqrt(var + eps)


data = np.random.RandomState(4).randn(1000, 3)
print("spread of each feature:", impostor(data).std(axis=0).round(3))

# %% [markdown]
# **Exercise.** Find what is wrong with it, and prove it with data. Make `test_batches`, a pair
# `(x_hides, x_shows)` of batches with at least 4 samples of at least 2 features, each feature with
# a standard deviation of at least 0.1:
#
# - on `x_hides` the impostor gives every feature a standard deviation within 0.01 of 1;
# - on `x_shows` every feature comes out with a standard deviation below 0.5.

# %% role="answer" exercise="bn-hide"
### BEGIN SOLUTION
noise = np.random.RandomState(0).randn(8, 3)
x_hides = noise - noise.mean(axis=0)
x_shows = noise + 50
test_batches = (x_hides, x_shows)
### END SOLUTION

# %% role="check" exercise="bn-hide"
check("bn-hide")

# %% role="hint" exercise="bn-hide"
# hint("bn-hide")  # take the first # away and run: one hint at a time

# %% [markdown]
# <details><summary>What it teaches about testing</summary>
#
# The mean of the squares is σ² + μ², so the impostor is right where μ = 0, and random test data
# usually has μ near 0. Other choices hide other mistakes: γ = 1 and β = 0 hide a missing last
# step, a tiny ε hides where it stands, m = D hides a wrong axis. The checks in this course avoid
# all of them, and so should your own tests.
#
# </details>

# %% [markdown]
# ## In the wild
#
# - **A square for a root.** JAX's `stax.BatchNorm` divided by `(var + epsilon)**2`
#   ([jax-ml/jax#442](https://github.com/jax-ml/jax/issues/442), 2019), until a reader of the code
#   noticed.
# - **The wrong axis.** The baseline of the DCASE 2018 challenge gave Keras `axis=1` for
#   channels-last data
#   ([DCASE-REPO/dcase2018_baseline#18](https://github.com/DCASE-REPO/dcase2018_baseline/issues/18)).
#   Keras's `axis` names the axis that *keeps* its own means, the opposite of NumPy's. Accuracy:
#   59.7 ± 0.7 % with the mistake, 59.9 ± 1.3 % without. No accuracy curve shows that.
# - **A negative variance.** `mean(x**2) - mean(x)**2` is the variance on paper, and passes the
#   check above. In float32, rounding can make it negative, and the root NaN
#   ([google/flax#1491](https://github.com/google/flax/issues/1491)): try it on
#   `(10000 + np.random.randn(1000, 3)).astype("float32")`, whose variances are near 1.

# %% [markdown] slide="slide"
# ## Recap
#
# 1. Per feature: subtract the batch's mean, divide by $\sqrt{\sigma^2 + \varepsilon}$, multiply
#    by $\gamma$, add $\beta$.
# 2. Dense: one mean per feature, over m numbers. Convolution: one per channel, over m · p · q.
# 3. The output's mean is $\beta$ and its spread nearly $|\gamma|$: test that first.
# 4. A sample's output depends on its batch-mates.
# 5. Test where mistakes show: $\mu \ne 0$, $\gamma \ne 1$, $\beta \ne 0$, a large $\varepsilon$,
#    sizes that differ.
#
# **To remember: batch norm measures scale in the batch and divides it out, per feature.**
#
# Next: lesson 02, where a sample comes alone.

# %% [markdown] slide="slide"
# **References.** S. Ioffe and C. Szegedy, *Batch Normalization: Accelerating Deep Network Training
# by Reducing Internal Covariate Shift*, ICML 2015. D. Ulyanov et al., *Instance Normalization: The
# Missing Ingredient for Fast Stylization*, 2016. J. L. Ba et al., *Layer Normalization*, 2016.
