# %% [markdown] slide="slide"
# # Start here
#
# **How do these labs work?**

# %% [markdown]
# In ten minutes you will know how to run a cell, answer an exercise, be told what is wrong with
# your answer, ask for a hint, and see how far you have come.
#
# You need: Python, a little NumPy, and to know what a neural network's layer is. Time: 10 minutes.

# %% [markdown]
# ## Run a cell
#
# Click into the cell below and press **Shift+Enter**. It runs, and the next cell is selected. A
# number in brackets appears beside it: the cells count the order in which you ran them, and that
# is the order that matters, not the order on the page.

# %% role="setup"
import numpy as np

from labsupport import check, environment, hint, progress
from labsupport.figures import start_here as figures

# %% [markdown]
# If it said `No module named 'labsupport'`, close this page and start the course with
# `python3 -m labsupport` in its folder. Otherwise ask what this page runs on:

# %% volatile="versions differ from machine to machine"
environment()

# %% [markdown] slide="slide"
# ## Predict before you run
#
# Ten thousand numbers, drawn evenly between 0 and 1. We subtract 0.5 and divide by 0.2887, the
# mean and the standard deviation of *all* such numbers. What does the histogram look like
# afterwards: **a bell, or a box?**
#
# Decide first. A wrong prediction is the best moment to learn something; it is lost if you run
# the cell first.

# %% slide="fragment"
x = np.random.RandomState(0).rand(10_000)
figures.box_or_bell(x, (x - 0.5) / 0.2887)

# %% [markdown]
# <details><summary>Why?</summary>
#
# A box. Subtracting moves all numbers together and dividing stretches them together; neither
# changes the shape. "Normalized" does not mean "normally distributed": a common misreading of
# batch norm's name, and worth getting rid of now.
#
# </details>

# %% [markdown] slide="slide"
# ## Answer an exercise
#
# 0.5 and 0.2887 do not quite fit these ten thousand numbers: the mean came out as −0.01. Write the
# function that finds their own. For an array `x` of $m$ numbers,
#
# $$\mu = \frac1m \sum_{i=1}^m x_i \qquad
# \sigma = \sqrt{\frac1m \sum_{i=1}^m (x_i - \mu)^2} \qquad
# \hat x_i = \frac{x_i - \mu}{\sigma}$$
#
# Return the array of the $\hat x_i$ and leave `x` unchanged. Replace the line with `raise`, run
# the cell, then run the check below it. (*Spread* on these pages always means the standard
# deviation σ.)


# %% role="answer" exercise="standardize"
def standardize(x):
    ### BEGIN SOLUTION
    mu = x.mean()
    sigma = np.sqrt(((x - mu) ** 2).mean())
    return (x - mu) / sigma
    ### END SOLUTION


# %% role="check" exercise="standardize"
check("standardize")

# %% role="hint" exercise="standardize"
# hint("standardize")  # take the first # away and run: one hint at a time

# %% [markdown]
# **Now get it wrong on purpose.** Divide by the variance, or write `x - mu / sigma` without
# brackets, run the cell and check again. The check knows the wrong answers that people really
# give, and says which one yours is. It tries your function on several inputs and looks only at
# what comes back, so it does not matter how you write it. Then put the right answer back.

# %% [markdown] slide="slide"
# ## What a check can say
#
# | mark | meaning |
# | --- | --- |
# | ○ Not attempted yet | the name is not defined, or the `raise` is still there |
# | ✓ Right | every part is right |
# | ✗ with a sentence and a question | a known mistake; the question leads out of it |
# | ✗ with a fact | wrong in a way nobody has met before: the fact that helps most |
# | ✗ It stops with an error | your own line, and what Python says of it |
# | ✗ Too slow | stopped after 5 seconds; often a loop that never ends |
# | ○ beside a part | not judged yet: another part has to be right first |
#
# Checking costs nothing, as often as you like. Only your best result is kept, and only here on
# this machine.

# %% [markdown] slide="slide"
# ## Your progress

# %%
progress()

# %% [markdown]
# ## Words and symbols
#
# They mean the same in all lessons, in the text, in code and in figures.
#
# | symbol | code | meaning |
# | --- | --- | --- |
# | $x$ | `x` | what a layer, or the network, gets: (m, D), or (m, C, p, q) for images |
# | $y$ | `y`, `out` | what it gives out |
# | $m$, $D$, $C$ | | samples in the batch, features, channels |
# | $p$, $q$ | | height and width of an image |
# | $\mu$, $\sigma^2$ | `mu`, `var` | mean and variance of one feature in the batch |
# | $\varepsilon$ | `eps` | small constant added to the variance |
# | $s$ | `s` | $\sqrt{\sigma^2 + \varepsilon}$, what batch norm divides by |
# | $\hat x$ | `x_hat` | $x$ normalized |
# | $\gamma$, $\beta$ | `gamma`, `beta` | learned scale and shift |
# | $\mu_\text{moving}$ | `moving_mean` | moving average of $\mu$, for prediction |
# | $\sigma^2_\text{moving}$ | `moving_var` | moving average of $\sigma^2$, for prediction |
# | momentum | `momentum` | weight of the **old** value in a moving average |
# | $dy$, $dx$ | `dy`, `dx` | gradient of the loss $L$ with respect to $y$, to $x$ |
# | $d$, rate | `drop_prob`, `rate` | probability that dropout drops a number |
# | $1 - d$, keep | | probability that it keeps it |
#
# A *batch* is the set of samples that go through the network together in one step. Layouts of
# images: **NCHW** is (m, C, p, q), **NHWC** is (m, p, q, C); in these names N is our m, H our p
# and W our q.

# %% [markdown] slide="slide"
# ## Recap
#
# 1. Shift+Enter runs a cell; order of running counts.
# 2. Predict first, then run.
# 3. `check("…")` says which mistake it is; `hint("…")` gives one hint at a time.
# 4. Standardizing moves and stretches; it does not change the shape.
# 5. Stuck in a strange state? *Kernel → Restart Kernel and Run up to Selected Cell.*
#
# **To remember: normalized means mean 0 and spread 1, not bell-shaped.**
#
# Next: lesson 01, where every feature of a layer gets this treatment.
