# %% [markdown] slide="slide"
# # Backpropagation
#
# **How does the gradient pass through the mean?**

# %% [markdown]
# When you are through you can measure any gradient with nothing but the forward pass, walk batch
# norm's graph backwards step by step and in one line, and tell from two sums which path a broken
# gradient has lost. At the end your gradient trains a deep network.
#
# You need: the chain rule, and lesson 01; for the network at the end, softmax and cross-entropy.
# Time: 100 minutes; a good place to pause is after `bn-backward`.

# %% role="setup"
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices: one thread is fastest

import numpy as np

from labsupport import check, hint, needs
from labsupport.controls import choice, explore
from labsupport.data import load_mnist
from labsupport.exercises.backpropagation import patients
from labsupport.figures import backpropagation as figures

# %% [markdown] slide="slide"
# ## Raise one number
#
# One feature, five samples: $x = (1, 3, 4, 5, 7)$, so that $\mu = 4$ and $\sigma = 2$. Batch norm
# with $\gamma = 2$ and $\beta = 1$. Now raise the last value from 7 to 9, and nothing else.
#
# **Predict before you run:** which of the five outputs move, and in which direction?

# %% slide="fragment"
x5 = np.array([1.0, 3, 4, 5, 7])
raised = np.array([1.0, 3, 4, 5, 9])


def y_of(x, mu=None, var=None):
    """Batch norm of one feature. mu and var are those of x, unless others are given."""
    mu = x.mean() if mu is None else mu
    var = ((x - mu) ** 2).mean() if var is None else var
    return 2 * (x - mu) / np.sqrt(var + 1e-5) + 1


figures.nudged(x5, raised, y_of(x5), y_of(raised))

# %% [markdown]
# <details><summary>What happened?</summary>
#
# All five move. With μ and σ held still, sample 5 would have risen by 2; it rises by 0.47. Raising
# it also raised μ, which pulls *every* output down, and σ, which pulls every output towards β = 1:
# up for sample 1, down for sample 5.
#
# So one $x_i$ reaches the loss along **three paths**: through its own $\hat x_i$, through μ and
# through σ². The gradient has to count all three.
#
# </details>

# %% [markdown] slide="slide"
# ## What is wanted
#
# The rest of the network hands us $\partial L / \partial y_i$ for every sample. We have to find
#
# $$\frac{\partial L}{\partial x_i} \qquad \frac{\partial L}{\partial \gamma} \qquad
# \frac{\partial L}{\partial \beta}$$
#
# In code they are called `dy`, `dx`, `dgamma` and `dbeta`; each has the shape of what stands
# after the d. Below, $dy$ is short for $\partial L / \partial y$ in formulas too.

# %% [markdown]
# Any gradient can be **measured**, without calculus: move one number a little up and a little
# down, and see how the loss answers.
#
# $$\frac{\partial f}{\partial x_i} \approx
# \frac{f(\dots, x_i + h, \dots) - f(\dots, x_i - h, \dots)}{2h}$$
#
# **Exercise.** Write `numerical_gradient(f, x, h)`. `f` takes an array of the shape of `x` and
# returns a number. `x` has any shape, and may hold whole numbers. Return an array of the shape of
# `x`, and leave `x` as it was.


# %% role="answer" exercise="grad-check"
def numerical_gradient(f, x, h):
    ### BEGIN SOLUTION
    gradient = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        up, down = x.astype(float), x.astype(float)
        up[i] += h
        down[i] -= h
        gradient[i] = (f(up) - f(down)) / (2 * h)
    return gradient
    ### END SOLUTION


# %% role="check" exercise="grad-check"
check("grad-check")

# %% role="hint" exercise="grad-check"
# hint("grad-check")  # take the first # away and run: one hint at a time

# %% [markdown] slide="slide"
# ## Which sign?
#
# For our five samples, let $dy = (1, 0, 2, 0, -1)$. The loss $L = \sum_i dy_i\, y_i$ has just this
# gradient.
#
# Raising $y_1$ raises $L$: $dy_1 = 1$. And $\gamma = 2$ is positive.
#
# **Predict before you run:** is $\partial L / \partial x_1$ positive? And what is
# $\partial L / \partial x_4$, where $dy_4 = 0$?

# %% slide="fragment"
dy5 = np.array([1.0, 0, 2, 0, -1])


def loss_of(x, mu=None, var=None):
    return (dy5 * y_of(x, mu, var)).sum()


dx5 = numerical_gradient(loss_of, x5, 1e-5)
print("dx =", dx5.round(2))

# %% [markdown]
# <details><summary>What happened?</summary>
#
# $\partial L / \partial x_1$ is **negative**, −0.3: what $x_1$ does by way of the others outweighs
# what it does directly. And $x_4$ gets −0.1, though $y_4$ does not appear in the loss at all: it
# moves μ and σ, and so the outputs that do.
#
# Who forgets two of the three paths gets (1, 0, 2, 0, −1): the opposite sign for the first sample,
# and no error message.
#
# </details>

# %% [markdown] slide="slide"
# ## Two directions that change nothing
#
# **Shift.** Add one number to all five samples. μ follows, and every $y$ stays. The loss is flat
# in this direction:
#
# $$\sum_i \frac{\partial L}{\partial x_i} = 0$$
#
# **Stretch.** Pull all samples away from μ by one factor. σ follows, and (with $\varepsilon = 0$)
# every $y$ stays. The loss is flat in this direction too:
#
# $$\sum_i \frac{\partial L}{\partial x_i}\, (x_i - \mu) = 0
# \quad\text{and so}\quad \sum_i \frac{\partial L}{\partial x_i}\, \hat x_i = 0$$

# %% slide="fragment"
y5 = y_of(x5)
x_hat5 = (y5 - 1) / 2
dx5 = numerical_gradient(loss_of, x5, 1e-5)
print("sum of dx:         ", f"{abs(dx5.sum()):.4f}")
print("sum of dx * x_hat: ", f"{abs((dx5 * x_hat5).sum()):.4f}")
print("sum of dy, for comparison:         ", dy5.sum())
print("sum of dy * x_hat, for comparison: ", (dy5 * x_hat5).sum().round(4))

# %% [markdown]
# No derivation was needed for this, and it holds for every batch and every loss. Keep the two
# sums: further down they become an instrument.

# %% [markdown] slide="slide"
# ## The graph
#
# Every step of batch norm is a node. In blue what flows forward; in red the gradient of $L$ with
# respect to that node, **measured** with your function, by nudging the node and letting everything
# to its right follow.
#
# At which node do the paths part, and where do they meet again?


# %%
def measured(f, at):
    return numerical_gradient(f, np.atleast_1d(at), 1e-5)


values = dict(x=x5, mu=4.0, var=4.0, x_hat=x_hat5, gamma=2.0, beta=1.0, y=y5, loss=loss_of(x5))
gradients = dict(
    x=measured(loss_of, x5),
    mu=measured(lambda mu: loss_of(x5, mu, 4.0), 4.0),
    var=measured(lambda var: loss_of(x5, 4.0, var), 4.0),
    x_hat=measured(lambda x_hat: (dy5 * (2 * x_hat + 1)).sum(), x_hat5),
    gamma=measured(lambda gamma: (dy5 * (gamma * x_hat5 + 1)).sum(), 2.0),
    beta=measured(lambda beta: (dy5 * (2 * x_hat5 + beta)).sum(), 1.0),
    y=dy5,
)

# %% slide="fragment"
figures.graph(values, gradients)

# %% [markdown] slide="slide"
# ## Walking back
#
# Three rules are enough:
#
# 1. Along an arrow, multiply by its derivative.
# 2. Where **several arrows leave** a node, add up what comes back along them.
# 3. What was **shared by all samples** on the way forward (γ, β, μ, σ²) is summed over the samples
#    on the way back. (That is rule 2 again: one arrow per sample.)
#
# From $y_i = \gamma \hat x_i + \beta$:
#
# $$d\hat x_i = \gamma\, dy_i \qquad d\gamma = \sum_i dy_i\, \hat x_i \qquad
# d\beta = \sum_i dy_i$$

# %% [markdown] slide="slide"
# ## Through σ² and μ
#
# Write $s = \sqrt{\sigma^2 + \varepsilon}$. Then $\hat x_i = (x_i - \mu)\, / \, s$, and by rules
# 1 and 3
#
# $$d\sigma^2 = \sum_i d\hat x_i\, (x_i - \mu) \cdot \left(-\tfrac12\right) s^{-3}
# \qquad d\mu = \sum_i d\hat x_i \cdot \left(-\tfrac1s\right)$$
#
# With the numbers of the graph: $(2 \cdot (-3) + (-2) \cdot 3) \cdot (-\frac12) / 8 = 0.75$, and
# $(2 + 4 - 2) \cdot (-\frac12) = -2$. Both stand there in red.

# %% [markdown]
# **The dashed arrow.** σ² is computed from μ, so should $d\mu$ not have a second term? It has:
#
# $$d\sigma^2 \cdot \frac{\partial \sigma^2}{\partial \mu}
# = d\sigma^2 \cdot \frac{-2}{m} \sum_i (x_i - \mu) = 0$$
#
# The deviations from a mean add up to 0: the arrow is there and carries nothing. Some write the
# term and some leave it out; both are right. Measured, with σ² following μ:

# %%
print("dmu, var held:     ", measured(lambda mu: loss_of(x5, mu, 4.0), 4.0).round(4))
print("dmu, var following:", measured(lambda mu: loss_of(x5, mu), 4.0).round(4))

# %% [markdown] slide="slide"
# ## And out at x
#
# Three arrows leave $x_i$; rule 2 adds what comes back along them:
#
# $$dx_i \;=\; \underbrace{d\hat x_i \cdot \frac1s}_{\text{direct}}
# \;+\; \underbrace{d\sigma^2 \cdot \frac{2\,(x_i - \mu)}{m}}_{\text{through } \sigma^2}
# \;+\; \underbrace{d\mu \cdot \frac1m}_{\text{through } \mu}$$
#
# For $x_1$: $\;2 \cdot \frac12 + 0.75 \cdot \frac{2 \cdot (-3)}{5} - 2 \cdot \frac15
# = 1 - 0.9 - 0.4 = -0.3$.

# %% [markdown]
# ## Exercise: forwards, keeping what the way back needs
#
# Now for a whole layer: `x` of shape (m, D), every feature on its own. Write `normalize(x, eps)`,
# which returns the pair `(x_hat, s)`: `x_hat` of shape (m, D), and $s = \sqrt{\sigma^2 +
# \varepsilon}$ of shape (D,).


# %% role="answer" exercise="bn-cache"
def normalize(x, eps):
    ### BEGIN SOLUTION
    mu = x.mean(axis=0)
    var = ((x - mu) ** 2).mean(axis=0)
    s = np.sqrt(var + eps)
    return (x - mu) / s, s
    ### END SOLUTION


# %% role="check" exercise="bn-cache"
check("bn-cache")

# %% role="hint" exercise="bn-cache"
# hint("bn-cache")  # take the first # away and run: one hint at a time

# %% [markdown] slide="slide"
# ## Exercise: back through the graph
#
# Write `batch_norm_backward(dy, x, gamma, eps)`, which returns `(dx, dgamma, dbeta)`.
#
# `dy` and `x` have shape (m, D), `gamma` has shape (D,). Go through the graph from right to left,
# one line per node, with a name for each gradient; then a wrong line is easy to find.


# %% role="answer" exercise="bn-backward"
def batch_norm_backward(dy, x, gamma, eps):
    ### BEGIN SOLUTION
    m = len(x)
    x_hat, s = normalize(x, eps)
    centred = x_hat * s

    dbeta = dy.sum(axis=0)
    dgamma = (dy * x_hat).sum(axis=0)
    dx_hat = dy * gamma
    dvar = (dx_hat * centred).sum(axis=0) * -0.5 / s**3
    dmu = dx_hat.sum(axis=0) * -1 / s
    dx = dx_hat / s + dvar * 2 * centred / m + dmu / m
    return dx, dgamma, dbeta
    ### END SOLUTION


# %% role="check" exercise="bn-backward"
check("bn-backward")

# %% role="hint" exercise="bn-backward"
# hint("bn-backward")  # take the first # away and run: one hint at a time

# %% [markdown] slide="slide"
# ## Gradient checking
#
# You need no answer key to test a gradient: compare it with the measured one. Your
# `numerical_gradient` costs two forward passes per entry, far too slow to train with, and just
# right to check with.
#
# **Predict before you run:** the formula is exact for $h \to 0$. Is a smaller $h$ always better?

# %%
rng = np.random.RandomState(1)
x = 5 + 3 * rng.randn(6, 4)
dy = rng.randn(6, 4)
gamma, eps = np.array([0.5, 2.0, -1.5, 3.0]), 1e-5


def layer_loss(x):
    return (dy * gamma * normalize(x, eps)[0]).sum()


def error(found, right):
    return np.abs(found - right).max() / np.abs(right).max()


# %% slide="fragment"
dx = batch_norm_backward(dy, x, gamma, eps)[0]
steps = [10.0**-k for k in range(13)]
errors = [error(numerical_gradient(layer_loss, x, h), dx) for h in steps]
figures.error_by_step(steps, errors)

# %% [markdown]
# <details><summary>What happened?</summary>
#
# From h = 1 down, a tenth of the step means a hundredth of the error: the formula's own error
# shrinks like h². Below 10⁻⁵ rounding takes over: `f` is known to about 16 digits, and the
# difference of two nearly equal numbers, divided by a tiny 2h, keeps fewer and fewer of them.
#
# In float64, take h = 10⁻⁵ and expect a relative error below 10⁻⁸. In float32 the same batch gives
# 10⁻⁴ at best, and at h = 10⁻⁵ the measured gradient is off by 15 %: check in float64.
#
# </details>

# %% [markdown] slide="slide"
# ## What a gradient check cannot see
#
# It compares your backward pass with **your own** forward pass. If both make the same mistake,
# they agree. Here σ² divides by m − 1 on the way forward, and on the way back too:


# %% slide="fragment"
def wrong_loss(x):
    return (dy * gamma * (x - x.mean(axis=0)) / x.std(axis=0, ddof=1)).sum()


# m = 6: every x_hat comes out √(5/6) times as large, and so does its gradient
wrong_dx = np.sqrt(5 / 6) * batch_norm_backward(dy, x, gamma, 0)[0]
own = error(wrong_dx, numerical_gradient(wrong_loss, x, 1e-5))
print("agrees with its own forward pass:", own < 1e-8)
print(f"off from batch norm's gradient by {error(wrong_dx, dx):.0%}")

# %% [markdown]
# Of 47 wrong backward passes among the public coursework answers read for this course, 19 pass a
# gradient check against their own forward pass. That is why `check` compares with batch norm's
# gradient itself.
#
# **And choose `dy` with care.** With $dy_i = 1$ for all samples, $L = \sum_i y_i = m\beta$ whatever
# x is. Then the right dx is 0, and a check compares nothing with nothing. With γ = 1 it cannot see
# whether γ is there.

# %% [markdown] slide="slide"
# ## One line
#
# Put $d\sigma^2$ and $d\mu$ into $dx_i$. Use $x_i - \mu = s\,\hat x_i$, and write
# $\langle \cdot \rangle$ for the mean over the batch:
#
# $$
# \begin{aligned}
# d\sigma^2 \cdot \frac{2(x_i - \mu)}{m}
# &= -\frac{1}{2 s^3} \sum_j d\hat x_j\, s \hat x_j \cdot \frac{2 s \hat x_i}{m}
# = -\frac{\hat x_i}{s} \langle d\hat x\, \hat x \rangle \\
# d\mu \cdot \frac1m &= -\frac1s \cdot \frac1m \sum_j d\hat x_j
# = -\frac1s \langle d\hat x \rangle
# \end{aligned}
# $$

# %% [markdown] slide="slide"
# ## Exercise: one line
#
# $$dx_i = \frac1s \Big( d\hat x_i - \langle d\hat x \rangle
# - \hat x_i\, \langle d\hat x\, \hat x \rangle \Big)$$
#
# Three terms, three paths. Read it as an instruction: take $d\hat x$; remove its mean; remove its
# part along $\hat x$; divide by $s$. What is removed are the two directions that change nothing.
#
# Write `batch_norm_backward_short(dy, x_hat, gamma, s)`, which returns `dx`. `x_hat` and `s` come
# from `normalize`. One expression is enough.


# %% role="answer" exercise="bn-backward-short"
def batch_norm_backward_short(dy, x_hat, gamma, s):
    ### BEGIN SOLUTION
    dx_hat = gamma * dy
    return (dx_hat - dx_hat.mean(axis=0) - x_hat * (dx_hat * x_hat).mean(axis=0)) / s
    ### END SOLUTION


# %% role="check" exercise="bn-backward-short"
check("bn-backward-short")

# %% role="hint" exercise="bn-backward-short"
# hint("bn-backward-short")  # take the first # away and run: one hint at a time

# %% [markdown] slide="slide"
# ## Exercise: images
#
# Images have one μ, one σ², one γ and one β per channel (lesson 01). All formulas stay; what
# changes is who shares what, and so every mean and every sum of the way back.
#
# Write `batch_norm_backward_images(dy, x, gamma, eps)`, which returns `(dx, dgamma, dbeta)`. `dy`
# and `x` have shape (m, C, p, q), `gamma` has shape (C,). You may use what you have written.


# %% role="answer" exercise="bn-backward-images"
def batch_norm_backward_images(dy, x, gamma, eps):
    ### BEGIN SOLUTION
    shared = dict(axis=(0, 2, 3), keepdims=True)
    s = np.sqrt(x.var(**shared) + eps)
    x_hat = (x - x.mean(**shared)) / s

    dx_hat = gamma[:, None, None] * dy
    mean, along = dx_hat.mean(**shared), (dx_hat * x_hat).mean(**shared)
    dx = (dx_hat - mean - x_hat * along) / s
    return dx, (dy * x_hat).sum(axis=(0, 2, 3)), dy.sum(axis=(0, 2, 3))
    ### END SOLUTION


# %% role="check" exercise="bn-backward-images"
check("bn-backward-images")

# %% role="hint" exercise="bn-backward-images"
# hint("bn-backward-images")  # take the first # away and run: one hint at a time

# %% [markdown]
# ## How nearly the sums vanish
#
# Sum the line over the batch. $\langle \hat x \rangle = 0$, so the first sum is 0 **exactly**,
# whatever ε is. For the second, multiply by $\hat x_i$ first:
#
# $$\sum_i dx_i\, \hat x_i = \frac1s \sum_i d\hat x_i\, \hat x_i \cdot
# \big(1 - \langle \hat x^2 \rangle\big)
# \quad\text{with}\quad \langle \hat x^2 \rangle = \frac{\sigma^2}{\sigma^2 + \varepsilon}$$
#
# The direct path alone would give $\frac1s \sum_i d\hat x_i\, \hat x_i$. Of that, the fraction
# $\varepsilon / (\sigma^2 + \varepsilon)$ is left.

# %%
var = x[:, 0].var()
for e in (1e-5, 1e-3, 0.1, 10.0):
    x_hat, s = normalize(x, e)
    direct = gamma * dy / s
    full = batch_norm_backward_short(dy, x_hat, gamma, s)
    left = (full * x_hat).sum(axis=0) / (direct * x_hat).sum(axis=0)
    print(f"eps = {e:5g}:  left in feature 0: {left[0]:.2e}   by the formula: {e / (var + e):.2e}")

# %% [markdown] slide="slide"
# ## Drop a path
#
# The sums are 0 because three paths balance. Put a wrong weight on one of them, and they no longer
# do. The three paths of our five samples, measured by holding μ or σ² still:


# %%
def three_paths():
    def held(mu=None, var=None):
        return numerical_gradient(lambda x: loss_of(x, mu, var), x5, 1e-5)

    direct, without_mu, without_var = held(mu=4.0, var=4.0), held(mu=4.0), held(var=4.0)
    return direct, without_var - direct, without_mu - direct


for name, path in zip(("direct", "through mu", "through var"), three_paths(), strict=True):
    print(f"{name:12}", path.round(2) + 0.0)

# %% [markdown] slide="slide"
# ## Which sum feels it?
#
# **Predict each before you press:**
#
# 1. The path through μ is dropped. Which sum fails, and by how much?
# 2. The path through σ² is dropped.
# 3. A factor 2 is lost on the way through σ².
# 4. 1/m is lost in both.

# %% slide="fragment"
through_mu = {"as it should be": 1, "dropped": 0, "wrong sign": -1, "1/m lost": 5}
through_var = {**through_mu, "factor 2 lost": 0.5}
direct5, by_mu5, by_var5 = three_paths()


def weighted(w_mu, w_var):
    return figures.two_sums(direct5 + w_mu * by_mu5 + w_var * by_var5, x_hat5, direct5)


explore(
    weighted,
    w_mu=choice(through_mu, "through μ", value=1),
    w_var=choice(through_var, "through σ²", value=1),
)

# %% [markdown]
# <details><summary>The rule</summary>
#
# A path through μ with weight $w$ leaves $1 - w$ of the direct path's first sum, and does not touch
# the second. The path through σ² does the same to the second.
#
# | what is wrong | $\sum dx$ | $\sum dx\,\hat x$ |
# | --- | --- | --- |
# | path through μ missing | 1 | 0 |
# | path through σ² missing | 0 | 1 |
# | both missing | 1 | 1 |
# | 1/m lost in both | 1 − m | 1 − m |
# | σ² with the wrong sign | 0 | 2 |
# | a factor 2 lost in σ² | 0 | ½ |
#
# All in units of the direct path's sums. What scales all three paths alike, the sums cannot see.
#
# </details>

# %% [markdown] slide="slide"
# ## Now break it: six patients
#
# `patients` holds six gradients, A to F: functions `(dy, x, gamma, eps)` that return dx. Each is
# broken in one way. Do not read their code; examine them.

# %% slide="fragment"
x_hat, s = normalize(x, eps)
direct = gamma * dy / s


def examine(name):
    found = patients[name](dy, x, gamma, eps)
    first = found.sum(axis=0) / direct.sum(axis=0)
    second = (found * x_hat).sum(axis=0) / (direct * x_hat).sum(axis=0)
    print(f"patient {name}: the two sums are", np.round([first[0], second[0]], 2) + 0.0)


examine("A")  # in units of the direct path, feature 0; m = 6

# %% [markdown]
# **Exercise.** Make `diagnosis`, a dictionary with a word for each patient:
#
# | word | what is wrong |
# | --- | --- |
# | `"mean"` | the path through μ is missing |
# | `"variance"` | the path through σ² is missing |
# | `"both"` | both are missing |
# | `"count"` | 1/m is lost on both paths |
# | `"sign"` | the path through σ² has the wrong sign |
# | `"half"` | a factor 2 is lost on the path through σ² |
# | `"gamma"` | γ is left out |
# | `"healthy"` | nothing |
#
# Not every word is used. The check examines the patients anew, on another batch, and says which of
# the two sums speaks against a diagnosis.

# %% role="answer" exercise="bn-which-path"
### BEGIN SOLUTION
diagnosis = {
    "A": "variance",
    "B": "count",
    "C": "mean",
    "D": "gamma",  # both sums vanish; numerical_gradient(layer_loss, x, 1e-5) differs by gamma
    "E": "half",
    "F": "both",
}
### END SOLUTION

# %% role="check" exercise="bn-which-path"
check("bn-which-path")

# %% role="hint" exercise="bn-which-path"
# hint("bn-which-path")  # take the first # away and run: one hint at a time

# %% [markdown]
# ## Two consequences for free
#
# Let a layer $x = hW + b$ stand before batch norm, $h$ being what it gets.
#
# **Its bias learns nothing.** $\partial L / \partial b = \sum_i dx_i$, the first sum: 0. Leave $b$
# out (`use_bias=False`); β does its work.
#
# **Its weights only grow.** For the weights $w$ of one unit, without b, and with $\varepsilon = 0$:
# $w \cdot \partial L/\partial w = \sum_i dx_i\, x_i = s \sum_i dx_i\, \hat x_i + \mu \sum_i dx_i
# = 0$. The gradient is perpendicular to $w$, so each plain gradient step makes $w$ longer, and a
# longer $w$ turns more slowly (van Laarhoven 2017).

# %% [markdown] slide="slide"
# ## Does it matter? A deep network
#
# Figure 1 of Ioffe & Szegedy 2015, in small: binary images of digits, three hidden layers of 100
# sigmoid units, ten outputs, weights small and random, 60 images per step. Once as it comes, once
# with batch norm before each sigmoid, trained by **your** gradient.
#
# **Predict before you run:**
#
# 1. After 500 steps, how many of the test images does each get right? Guessing gets 10 %.
# 2. What enters one unit of the last hidden layer differs from image to image. By how much, in each
#    network, and does it stay like that?

# %%
train_x, train_y, test_x, test_y = load_mnist(flat=True)
train_x, test_x = (train_x > 0.5).astype(float), (test_x > 0.5).astype(float)


def new_network(spread):
    rng = np.random.RandomState(0)
    sizes = [784, 100, 100, 100, 10]
    return [
        dict(w=spread * rng.randn(d, k), gamma=np.ones(k), beta=np.zeros(k))
        for d, k in zip(sizes[:-1], sizes[1:], strict=True)
    ]


# %% [markdown]
# On the way forward each layer notes what it got (`h`), its `x` and its `y`. On the way back each
# layer turns `dy` into `dx`, and `dx` into the `dy` of the layer below.


# %%
def run(network, h, batch_norm):
    tape = []
    for layer in network:
        x = h @ layer["w"]
        hidden = batch_norm and layer is not network[-1]
        x_hat = normalize(x, 1e-5)[0] if hidden else x
        y = layer["gamma"] * x_hat + layer["beta"]
        tape.append((h, x, y))
        h = 1 / (1 + np.exp(-y))  # the sigmoid
    return tape


# %%
def step(network, images, labels, batch_norm, learning_rate=0.5):
    tape = run(network, images, batch_norm)
    scores = tape[-1][2]
    chances = np.exp(scores - scores.max(axis=1, keepdims=True))
    chances /= chances.sum(axis=1, keepdims=True)
    dy = (chances - np.eye(10)[labels]) / len(labels)  # of the mean cross-entropy
    for layer, (h, x, _) in zip(network[::-1], tape[::-1], strict=True):
        if batch_norm and layer is not network[-1]:
            dx, dgamma, dbeta = batch_norm_backward(dy, x, layer["gamma"], 1e-5)
        else:
            dx, dgamma, dbeta = dy, 0, dy.sum(axis=0)
        dy = (dx @ layer["w"].T) * h * (1 - h)  # through the weights and the sigmoid below
        layer["w"] -= learning_rate * h.T @ dx
        layer["gamma"] -= learning_rate * np.ravel(dgamma)
        layer["beta"] -= learning_rate * np.ravel(dbeta)


# %% [markdown]
# Every 50 steps we note two things on the 1,000 test images: how many are right, and three
# percentiles of what enters one unit of the last hidden layer. Training takes some ten seconds.


# %%
def train(batch_norm, spread=0.05, steps=2000):
    network, rng, right, unit = new_network(spread), np.random.RandomState(1), [], []
    for number in range(steps + 1):
        if number % 50 == 0:
            tape = run(network, test_x, batch_norm)
            right.append((number, (tape[-1][2].argmax(axis=1) == test_y).mean()))
            unit.append((number, np.percentile(tape[2][2][:, 0], [15, 50, 85])))
        chosen = rng.randint(0, len(train_x), 60)
        step(network, train_x[chosen], train_y[chosen], batch_norm)
    return right, unit


# %% slide="fragment"
normal = train(batch_norm=True)
plain = train(batch_norm=False)
figures.figure_one({"as it comes": plain, "with batch norm": normal})

# %% [markdown]
# <details><summary>What happened?</summary>
#
# **1.** 10 % and 87 %. The plain network begins to learn after some 1,100 steps and reaches 77 %.
#
# **2.** As it comes, the band from the 15th to the 85th percentile is a line: at step 500 it goes
# from −2.0 to −1.9. The unit is told the same number for every image, and that number wanders. The
# band opens when learning sets in, up to a width of 4, and wanders on: what the next layer has
# learned to read keeps moving. With batch norm it begins at −1.1 to 1.1 and slowly widens to −2.0
# to 1.6, as γ and β learn.
#
# </details>

# %% [markdown]
# **Why the plain network waits.** What differs between two images shrinks in every layer, by about
# 0.05 · √100 · ¼ = ⅛: the weights, times the sigmoid's steepest slope. Before training, x in the
# three hidden layers spreads over the images by 0.41, 0.048 and 0.0059. The gradient shrinks by the
# same factor per layer on its way back.
#
# Batch norm divides by that spread: forwards in x̂, and backwards in the 1/s of your line.

# %% [markdown]
# **What differs from the paper.** It trained for 50,000 steps, we for 2,000, on 4,000 images. It
# names neither learning rate nor spread of the weights; ours are 0.5 and 0.05. Its accuracy is, by
# its section 3.1, that of predictions with population statistics (lesson 02); we normalize the
# 1,000 test images by their own. It shows "one typical activation"; ours is unit 0.

# %% [markdown]
# **What the picture does not show.** Call `train(batch_norm=False, spread=0.1)`: with weights twice
# as large the plain network starts within 200 steps and ends at 91 %; with batch norm it is 89 %
# with either spread. (Three other seeds: 89, 90 and 90 %, against 88 to 90 % with batch norm.)
# Batch norm took a setting off our hands; it did not make this network better. In the paper it
# did. The paper blames the drift, *internal covariate shift*; whether that is why it helps is
# disputed (Santurkar et al. 2018).

# %% [markdown]
# ## In the wild: gradients that were wrong
#
# - **Two paths missing.** CrypTen took μ and σ² for constants. Nobody noticed: its unit test did
#   not switch to training mode
#   ([facebookresearch/CrypTen#143](https://github.com/facebookresearch/CrypTen/pull/143), 2020).
# - **γ missing.** In Knet all tests passed: they had γ = 1, the value it starts from, as one of its
#   authors suspected ([denizyuret/Knet.jl#289](https://github.com/denizyuret/Knet.jl/pull/289),
#   2018).
# - **ε missing** on the way back in Chainer's batch renormalization; the mend came with tests at a
#   larger ε ([chainer/chainer#4191](https://github.com/chainer/chainer/pull/4191), 2018).
# - **A test of nothing.** mlpack's gradient test had no weights *below* batch norm, so dx was never
#   used ([mlpack/mlpack#1923](https://github.com/mlpack/mlpack/issues/1923), 2019).

# %% [markdown]
# ## In the wild: gradients that were right
#
# - **The dashed arrow.** Darknet leaves it out, and was told so or asked why at least four times
#   ([pjreddie/darknet#29](https://github.com/pjreddie/darknet/pull/29),
#   [#1634](https://github.com/pjreddie/darknet/issues/1634),
#   [#1723](https://github.com/pjreddie/darknet/issues/1723),
#   [AlexeyAB/darknet#4605](https://github.com/AlexeyAB/darknet/issues/4605)). The author's answer
#   to the first: that sum is zero.
# - **dy = 1.** A gradient check of Torch's layer, with the sum of the outputs as loss, gave a
#   relative error of 1.0: the gradient is 0 there, and noise was compared with noise
#   ([torch/nn#744](https://github.com/torch/nn/issues/744), 2016).
#
# And the other way round: where μ and σ² *are* constants, given from outside, only the direct path
# is right. MatConvNet used all three there
# ([vlfeat/matconvnet#1174](https://github.com/vlfeat/matconvnet/issues/1174), 2018).

# %% [markdown] slide="slide"
# ## Recap
#
# 1. One $x_i$ reaches the loss along three paths: directly, through μ, through σ².
# 2. What is shared forwards is summed backwards; where arrows part, gradients add.
# 3. $dx = \frac1s (d\hat x - \langle d\hat x \rangle - \hat x \langle d\hat x\, \hat x \rangle)$.
# 4. $\sum dx = 0$ exactly; $\sum dx\,\hat x$ but for the fraction $\varepsilon/(\sigma^2 +
#    \varepsilon)$. Which sum fails tells which path is wrong.
# 5. A gradient check compares with your own forward pass: use a random dy, γ ≠ 1, float64.
#
# **To remember: batch norm's gradient has no part along what batch norm undoes: no shift, no
# stretch.**
#
# Next: lesson 04, where an update is written down and never runs.

# %% [markdown] slide="slide"
# **References.** S. Ioffe and C. Szegedy, *Batch Normalization: Accelerating Deep Network Training
# by Reducing Internal Covariate Shift*, ICML 2015, section 3 (the gradient) and 4.1 (figure 1).
# S. Santurkar et al., *How Does Batch Normalization Help Optimization?*, NeurIPS 2018.
# T. van Laarhoven, *L2 Regularization versus Batch and Weight Normalization*,
# arXiv:1706.05350, 2017.
