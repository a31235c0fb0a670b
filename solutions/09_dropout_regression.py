# %% [markdown] slide="slide"
# # Dropout in a regression
#
# **Does it help?**

# %% [markdown]
# When you are through you can put dropout behind a switch, measure a loss with dropout off, say
# from twenty runs what one run cannot tell, draw a Monte Carlo band, and name two places where
# dropout does harm.
#
# You need: lesson 08 (inverted dropout), lesson 04 (placeholders, sessions) and lesson 06
# (UPDATE_OPS). Time: 75 minutes.

# %% role="setup"
import numpy as np

from labsupport import check, hint, needs
from labsupport.controls import explore, slider
from labsupport.figures import dropout_regression as figures
from labsupport.live import LivePicture, bar
from labsupport.tf1 import tf

# %% [markdown] slide="slide"
# ## Twenty points, 91,201 weights
#
# The truth is the straight line y = x. We see 20 points of it, with noise of standard deviation
# 0.3, and fit them with a network of two hidden layers of 300 units. Another 20 points, with new
# noise at the same x, are the test set.
#
# **Predict before you run:** Adam makes 500 steps. Where does the test loss (mean squared error)
# end, and is that its lowest? The noise alone costs 0.3² = 0.09.


# %%
def twenty_points(seed):
    rng = np.random.RandomState(seed)
    x = np.linspace(-1, 1, 20)[:, np.newaxis]
    return x, x + 0.3 * rng.randn(20, 1), x + 0.3 * rng.randn(20, 1)


x, y_train, y_test = twenty_points(1)
targets = {"train": y_train, "test": y_test}

# %% slide="slide" long="a training loop" volatile="500 steps in float32 differ between CPUs"
live, steps, losses = LivePicture(), [], []
with tf.Graph().as_default(), tf.Session() as session:
    tf.set_random_seed(1)
    given, wanted = (tf.placeholder(tf.float32, [None, 1]) for _ in range(2))
    hidden = tf.layers.dense(given, 300, tf.nn.relu)
    hidden = tf.layers.dense(hidden, 300, tf.nn.relu)
    prediction = tf.layers.dense(hidden, 1)
    loss = tf.losses.mean_squared_error(wanted, prediction)
    train = tf.train.AdamOptimizer(0.01).minimize(loss)
    session.run(tf.global_variables_initializer())
    for step in bar(range(1, 501), "training"):
        session.run(train, {given: x, wanted: y_train})
        if step % 10 == 0:
            curve, test_loss = session.run([prediction, loss], {given: x, wanted: y_test})
            steps.append(step)
            losses.append(test_loss)
            without = {"without dropout": curve}, steps, {"without dropout": losses}
            live.show(figures.fits(x, targets, *without, last=500))

# %% [markdown]
# <details><summary>What happened?</summary>
#
# The test loss is lowest within the first 50 steps, and then rises to several times that. Nothing
# stops the network at the line: it goes on to the training points themselves, noise included,
# and the test points have other noise. (How can a loss be below 0.09? This test set happened to
# get little noise. Keep that in mind: twenty points are few.)
#
# </details>
#
# The remedy on trial here: dropout after each hidden layer.

# %% [markdown] slide="slide"
# ## Exercise: a network with a switch
#
# Write `build_network(x, training, rate)`:
#
# | layer | |
# | --- | --- |
# | dense, 300 units, ReLU | then dropout with `rate` |
# | dense, 300 units, ReLU | then dropout with `rate` |
# | dense, 1 unit | the prediction, shape (m, 1) |
#
# `x` is a tensor of shape (m, 1), `training` a boolean tensor, `rate` a number: the share that is
# dropped, lesson 08's $d$; below, keep = 1 − rate. Fed `True` the network drops units, each by a
# draw of its own; fed `False` it does not. We shall train it: all of its weights must learn.


# %% role="answer" exercise="dr-network"
def build_network(x, training, rate):
    ### BEGIN SOLUTION
    hidden = tf.layers.dense(x, 300, activation=tf.nn.relu)
    hidden = tf.layers.dropout(hidden, rate, training=training)
    hidden = tf.layers.dense(hidden, 300, activation=tf.nn.relu)
    hidden = tf.layers.dropout(hidden, rate, training=training)
    return tf.layers.dense(hidden, 1)
    ### END SOLUTION


# %% role="check" exercise="dr-network"
check("dr-network")

# %% role="hint" exercise="dr-network"
# hint("dr-network")  # take the first # away and run: one hint at a time

# %% [markdown] slide="slide"
# ## Exercise: the test loss
#
# Write `evaluate(session, prediction, x, training, x_test, y_test)`: the mean squared error of the
# whole network on a test set, as a number.
#
# `x` and `training` are placeholders, `prediction` is a tensor of shape (m, 1). `x_test` has shape
# (m, 1); `y_test` has shape (m, 1) **or** (m,): data come in both.


# %% role="answer" exercise="dr-evaluate"
def evaluate(session, prediction, x, training, x_test, y_test):
    ### BEGIN SOLUTION
    y = session.run(prediction, {x: x_test, training: False})
    return np.mean((y.ravel() - y_test.ravel()) ** 2)
    ### END SOLUTION


# %% role="check" exercise="dr-evaluate"
check("dr-evaluate")

# %% role="hint" exercise="dr-evaluate"
# hint("dr-evaluate")  # take the first # away and run: one hint at a time

# %% [markdown] slide="slide"
# ## The published experiment
#
# Two of your networks on the same 20 points: one with rate 0, one with rate 0.5. A picture every
# 10 steps, test losses with dropout off.
#
# **Predict before you run:** which one has the lower test loss after 500 steps? And after 20?

# %%
graph = tf.Graph()
with graph.as_default():
    tf.set_random_seed(1)
    x_in, y_in = (tf.placeholder(tf.float32, [None, 1]) for _ in range(2))
    training = tf.placeholder(tf.bool, [])
    rates = {"without dropout": 0.0, "with dropout": 0.5}
    networks = {name: build_network(x_in, training, rate) for name, rate in rates.items()}
    both = [tf.losses.mean_squared_error(y_in, y) for y in networks.values()]
    train = tf.train.AdamOptimizer(0.01).minimize(sum(both))
    session = tf.Session()
    session.run(tf.global_variables_initializer())

# %% slide="fragment" volatile="500 steps in float32"
live, steps, losses = LivePicture(), [], {name: [] for name in networks}
for step in bar(range(1, 501), "training"):
    session.run(train, {x_in: x, y_in: y_train, training: True})
    if step % 10 == 0:
        steps.append(step)
        for name, y in networks.items():
            losses[name].append(evaluate(session, y, x_in, training, x, y_test))
        curves = session.run(networks, {x_in: x, training: False})
        live.show(figures.fits(x, targets, curves, steps, losses, last=500))

# %% [markdown]
# <details><summary>Does dropout help, then?</summary>
#
# Here it does, in the end: the curve with dropout stays smoother, and its loss lower. At step 20 it
# does not: the plain network has not had the time to overfit. So how much of the gain is this
# noise, these first weights, these masks, and this number of steps? One run has one answer to each
# of them. The published experiment shows one run.
#
# </details>

# %% [markdown] slide="slide"
# ## Twenty runs
#
# Twenty data sets, on each a network with dropout and one without. All twenty networks of a kind
# are one: weights of shape (20, n, k), and `tf.matmul` multiplies 20 matrices at once.
#
# **Predict before you run:** in how many of the 20 runs is dropout better at step 500?

# %%
runs = 20
sets = [np.stack(arrays) for arrays in zip(*map(twenty_points, range(runs)), strict=True)]
xs, ys_train, ys_test = sets  # each of shape (20 runs, 20 points, 1)


def twenty_networks(h, training, rate):
    for layer, (n, k) in enumerate([(1, 300), (300, 300), (300, 1)]):
        limit = np.sqrt(6 / (n + k))  # as tf.layers.dense starts its weights
        w = tf.Variable(tf.random_uniform([runs, n, k], -limit, limit))
        h = tf.matmul(h, w) + tf.Variable(tf.zeros([runs, 1, k]))
        if layer < 2:
            h = tf.layers.dropout(tf.nn.relu(h), rate, training=training)
    return h


# %% long="a training loop" volatile="500 steps in float32 differ between CPUs"
at, off, on = list(range(10, 501, 10)), [], []
with tf.Graph().as_default(), tf.Session() as many:
    tf.set_random_seed(2)
    switch = tf.placeholder(tf.bool, [])
    points = tf.constant(xs, tf.float32)
    ys = tf.stack([twenty_networks(points, switch, rate) for rate in (0.0, 0.5)])
    thinned = ys[1]  # with dropout, if the switch is on
    loss = tf.reduce_sum(tf.reduce_mean((ys - ys_train) ** 2, axis=[2, 3]))
    train = tf.train.AdamOptimizer(0.01).minimize(loss)
    many.run(tf.global_variables_initializer())
    for step in bar(range(1, 501), "twenty runs"):
        many.run(train, {switch: True})
        if step in at:
            off.append(many.run(ys, {switch: False}))
            on.append(many.run(thinned, {switch: True}))


def loss_by_run(predictions, targets):
    return np.mean((np.array(predictions) - targets) ** 2, axis=(-1, -2))


names = "without dropout", "with dropout"
test = dict(zip(names, np.moveaxis(loss_by_run(off, ys_test), 1, 0), strict=True))

# %% [markdown] slide="slide"
# Each dot is one run: the same data with and without dropout. Because both networks of a run see
# the same data, we compare **within** runs: the mean of the 20 differences, ± 2 standard errors.
# The dashed line is a straight line fitted by least squares. (Last digits differ between CPUs: 500
# steps in float32 are not the same on each.)
#
# 1. How many runs does it take until 0 is outside of the green interval at step 500?
# 2. Stop at step 30. Does dropout help now?

# %% slide="fragment" volatile="500 steps in float32 differ between CPUs"
columns = zip(xs[..., 0], ys_train[..., 0], strict=True)
straight = [np.polyval(np.polyfit(a, b, 1), a) for a, b in columns]
line_loss = loss_by_run(np.array(straight)[:, :, np.newaxis], ys_test).mean()


def compare(step, runs):
    return figures.paired(at, test, line_loss, step, runs)


explore(compare, step=slider(500, 10, 500, 10, "stop at step"), runs=slider(20, 2, 20, 1, "runs"))

# %% [markdown]
# <details><summary>What twenty runs say</summary>
#
# 1. Thirteen, in our order of runs. All twenty give 0.04 ± 0.02. In 4 of them dropout is *worse*,
#    the very first among these: one run can tell you the opposite.
# 2. Not that we could see: 0.002 ± 0.008. Stopped at step 30, the plain network has a loss of
#    0.115; dropout at its best, at step 80, has 0.111. (To choose a step you need data that are
#    neither training nor test.)
#
# And the straight line, with its two weights, beats both: 0.10. Dropout repaired much of the harm
# that 91,201 weights and 500 steps had done; there were cheaper ways not to do it.
#
# </details>

# %% [markdown] slide="slide"
# ## "My validation loss beats my training loss"
#
# Three losses of the 20 networks with dropout: on the training data as a training step sees it
# (dropout on), on the training data with dropout off, on the test data with dropout off. One draw
# of masks says little, so each is the mean of the last ten measurements, steps 410 to 500.
#
# **Predict before you run:** in how many runs is the test loss below the first? Below the second?

# %% slide="fragment" volatile="500 steps in float32 differ between CPUs"
as_reported = loss_by_run(on, ys_train)[-10:].mean(axis=0)
train_off = loss_by_run(np.array(off)[-10:, 1], ys_train).mean(axis=0)
test_off = test["with dropout"][-10:].mean(axis=0)
for name, values in {
    "training data, dropout on": as_reported,
    "training data, dropout off": train_off,
    "test data, dropout off": test_off,
}.items():
    print(f"{name:28}{values.mean():.3f}")
print(f"test below training: {np.sum(test_off < as_reported)} of 20 runs with dropout on,")
print(f"                     {np.sum(test_off < train_off)} of 20 with dropout off")

# %% [markdown]
# <details><summary>Why?</summary>
#
# The loss that a training step reports is that of a thinned network; the test loss is that of the
# whole one. The two differ in data **and** in network, so their order says nothing about
# overfitting. With dropout off on both sides the gap is nearly twice as wide. (In the runs where
# the test loss is lower even then, the 20 test points happened to get less noise.)
#
# </details>

# %% [markdown] slide="slide"
# ## Leave it on: Monte Carlo dropout
#
# Each pass with dropout on asks another thinned network. Gal & Ghahramani (2016) use that: run the
# same points T times with dropout **on** and report, for each point,
#
# $$
# \bar y = \frac1T \sum_{t=1}^T y_t \qquad
# \sigma_y = \sqrt{\frac1T \sum_{t=1}^T (y_t - \bar y)^2}
# $$
#
# where $y_t$ is the prediction in pass $t$. Where the thinned networks disagree, $\sigma_y$ is
# large.

# %% [markdown]
# **Exercise.** Write `monte_carlo(session, prediction, x, training, points, T)`. Return
# `(mean, std)`, each of shape (m, 1) or (m,), one number for each of the m points. T − 1 in place
# of T under the root is fine too.


# %% role="answer" exercise="dr-mc"
def monte_carlo(session, prediction, x, training, points, T):
    ### BEGIN SOLUTION
    feed = {x: points, training: True}
    passes = np.array([session.run(prediction, feed) for _ in range(T)])
    return passes.mean(axis=0), passes.std(axis=0)
    ### END SOLUTION


# %% role="check" exercise="dr-mc"
check("dr-mc")

# %% role="hint" exercise="dr-mc"
# hint("dr-mc")  # take the first # away and run: one hint at a time

# %% [markdown] slide="slide"
# The network with dropout from above, asked 300 times, also where it has seen no data.
#
# **Predict before you run:** where is the band narrowest? Does it hold the truth at x = 3, and at
# x = −3?

# %% slide="fragment" volatile="500 steps in float32 differ between CPUs"
wide = np.linspace(-3, 3, 61)[:, np.newaxis]
mean, std = monte_carlo(session, networks["with dropout"], x_in, training, wide, T=300)
figures.band(wide, mean, std, x, y_train)

# %% [markdown]
# <details><summary>Where is it narrowest, and why?</summary>
#
# Each unit of the last hidden layer adds variance: rate/keep times the square of what it adds to y
# (lesson 08). Far out, what ReLU units add grows with |x|, so the band widens; it is narrowest near
# x = 0, where they add least. That the data are there, too, is a coincidence: in ten such networks
# trained on x from 1 to 3, $\sigma_y$ was 0.13 at x = 0, without data, and 0.21 at x = 2, in their
# midst.
#
# </details>

# %% [markdown]
# <details><summary>What the band is not</summary>
#
# A wide band can say "I have not been here"; a narrow one does not say "I have". In our run the
# truth at x = −3 lies outside of it.
#
# Its width comes from the rate and the weights, not from the noise in the data (Gal & Ghahramani
# add a term for the noise). Several training points lie outside of it, too. Before you call it an
# error bar, count on held-out data how many points it holds.
#
# </details>

# %% [markdown] slide="slide"
# ## One switch for two layers
#
# Here one flag switches dropout **and** a batch norm whose moving statistics are updated in every
# training run. We predict the same point before and after 300 Monte Carlo passes at x near 8.
#
# **Predict before you run:** does asking change the answer?

# %% slide="fragment" long="one experiment, start to end"
rng = np.random.RandomState(0)
with tf.Graph().as_default(), tf.Session() as asked:
    tf.set_random_seed(0)
    x_bn, flag = tf.placeholder(tf.float32, [None, 1]), tf.placeholder(tf.bool, [])
    h = tf.layers.batch_normalization(x_bn, momentum=0.9, training=flag)
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        y = tf.layers.dropout(tf.identity(h), 0.1, training=flag)
    asked.run(tf.global_variables_initializer())
    for _ in range(100):
        asked.run(y, {x_bn: 2 + rng.randn(64, 1), flag: True})
    before = asked.run(y, {x_bn: [[3.0]], flag: False})[0, 0]
    far = 8 + rng.randn(64, 1)
    for _ in range(300):
        asked.run(y, {x_bn: far, flag: True})
    after = asked.run(y, {x_bn: [[3.0]], flag: False})[0, 0]
print(f"normalized x = 3 before the passes: {before:4.1f}")
print(f"normalized x = 3 after the passes:  {after:4.1f}")

# %% [markdown]
# <details><summary>Why did it change?</summary>
#
# Every pass was a training run for batch norm: it normalized with the statistics of the points
# asked about, and moved its moving statistics to theirs. For Monte Carlo dropout give dropout a
# switch of its own, and leave batch norm in prediction mode.
#
# </details>

# %% [markdown] slide="slide"
# ## Where it hurts: on the prediction
#
# Dropout after the **last** layer multiplies the prediction $f$ itself by mask/keep: it is 0 with
# probability rate, and $f$/keep otherwise. A regression that says "0" for every dropped sample pays
# for it in squares.
#
# **Predict before you run:** a network predicts every $y$ perfectly. Its mean of $y^2$ is 10, the
# rate is 0.5. What is its mean squared error in training: 0, about 3, or about 10?

# %% slide="fragment"
y = 3 + np.random.RandomState(0).randn(200_000)
mask = np.random.RandomState(1).rand(len(y)) >= 0.5
print(f"mean of y²: {np.mean(y**2):.1f}   loss: {np.mean((y * mask / 0.5 - y) ** 2):.1f}")

# %% [markdown] slide="slide"
# ## Exercise: the price
#
# Derive it. Write `expected_loss(prediction, target, rate)`: the mean squared error to be expected
# when inverted dropout with `rate` < 1 acts on the prediction of each sample separately. The exact
# expectation, without drawing a mask; both arrays have the same shape.
#
# Start with one sample: $\mathrm E\big[(f \cdot \text{mask}/\text{keep} - y)^2\big]$.


# %% role="answer" exercise="dr-output"
def expected_loss(prediction, target, rate):
    ### BEGIN SOLUTION
    error = np.mean((prediction - target) ** 2)
    return error + np.mean(prediction**2) * rate / (1 - rate)
    ### END SOLUTION


# %% role="check" exercise="dr-output"
check("dr-output")

# %% role="hint" exercise="dr-output"
# hint("dr-output")  # take the first # away and run: one hint at a time

# %% [markdown] slide="slide"
# ## A network that learns to say too little
#
# The loss has grown by a term in $f^2$, so it pays to predict less than $y$. Say the network gives
# $a \cdot y$ for targets with a mean square of 1: move the rate and watch where the loss is lowest.
#
# **Predict before you run it:** which factor $a$ is best at rate 0.5?


# %% slide="fragment"
def loss_of_factors(rate):
    y = np.random.RandomState(0).randn(1000)
    y = y / np.sqrt(np.mean(y**2))
    a = np.linspace(0, 1.4, 141)
    on = [expected_loss(factor * y, y, rate) for factor in a]
    return figures.loss_by_factor(a, on, [expected_loss(factor * y, y, 0.0) for factor in a], rate)


explore(loss_of_factors, rate=slider(0.5, 0.0, 0.8, 0.05, "rate"))

# %% [markdown]
# <details><summary>The answer, in two lines</summary>
#
# With E[y²] = 1 the loss is (a − 1)² + a² · rate/keep. Its derivative is 0 where
# a · (1 + rate/keep) = 1, that is a/keep = 1: **the best factor is keep.** At prediction time, with
# dropout off, the network says half of the truth at rate 0.5.
#
# </details>
#
# Does a trained network do that? The truth is y = x; the slope of the prediction should be near 1.

# %% slide="slide" volatile="training in float32 differs between CPUs"
wide_x = np.random.RandomState(3).uniform(-1, 1, (256, 1))
for rate in (0.0, 0.2, 0.5):
    with tf.Graph().as_default(), tf.Session() as trained:
        tf.set_random_seed(0)
        switch, given = tf.placeholder(tf.bool, []), tf.constant(wide_x, tf.float32)
        y = tf.layers.dense(tf.layers.dense(given, 50, tf.nn.relu), 1)
        y = tf.layers.dropout(y, rate, training=switch)
        loss = tf.losses.mean_squared_error(given, y)
        train = tf.train.AdamOptimizer(0.003).minimize(loss)
        trained.run(tf.global_variables_initializer())
        for _ in range(1000):
            trained.run(train, {switch: True})
        slope = np.polyfit(wide_x[:, 0], trained.run(y, {switch: False})[:, 0], 1)[0]
    print(f"rate {rate}: slope {slope:.1f}, keep {1 - rate:.1f}")

# %% [markdown] slide="slide"
# ## Where it hurts: before batch norm
#
# Dropout keeps the mean of a feature and raises its variance: a feature with mean $\mu$ and
# variance $\sigma^2$ has $\sigma^2 + (\mu^2 + \sigma^2)\,\text{rate}/\text{keep}$ in training.
# Batch norm's moving variance learns **that** number. In prediction dropout is off, the variance is
# $\sigma^2$, and batch norm divides by the wrong one. Li et al. (2018) call it *variance shift*.
#
# **Predict before you run:** h = ReLU of standard normal numbers has μ² + σ² = 0.5 and σ² = 0.34.
# After batch norm (γ = 1) its spread should be 1. What is it in prediction at rate 0.5?

# %% slide="fragment"
h = np.maximum(np.random.RandomState(0).randn(200_000, 1), 0)
print("rate   variance seen in training, in prediction   spread after batch norm")
for rate in (0.0, 0.2, 0.5):
    with tf.Graph().as_default(), tf.Session() as shifted:
        tf.set_random_seed(0)
        switch = tf.placeholder(tf.bool, [])
        thinned = tf.layers.dropout(tf.constant(h, tf.float32), rate, training=switch)
        y = tf.layers.batch_normalization(thinned, momentum=0.9, training=switch)
        moving_variance = tf.global_variables()[-1]
        shifted.run(tf.global_variables_initializer())
        for _ in range(150):
            shifted.run(tf.get_collection(tf.GraphKeys.UPDATE_OPS), {switch: True})
        seen, out = shifted.run([moving_variance, y], {switch: False})
    print(f"{rate}    {seen[0]:.2f}                       {h.var():.2f}            {out.std():.2f}")

# %% [markdown]
# <details><summary>What to do about it</summary>
#
# At rate 0.5 the spread is √(0.34/0.84) = 0.64 where 1 was promised, and each further layer of the
# same kind does it again. Put dropout **after** the last batch norm of the network: one of the
# remedies of Li et al.
#
# </details>

# %% [markdown]
# ## In the wild
#
# - **Dropout on the prediction.** "Dropout at the prediction output forces prediction scores … to
#   become zero", asked a reader of
#   [weihua916/powerful-gnns#16](https://github.com/weihua916/powerful-gnns/issues/16). DeepChem's
#   regressors left it out where its classifiers had it
#   ([deepchem/deepchem#303](https://github.com/deepchem/deepchem/issues/303)).
# - **A band of width 0.** SalsaNext's Monte Carlo evaluation ran with dropout off; "the variance
#   will always be 0"
#   ([TiagoCortinhal/SalsaNext#40](https://github.com/TiagoCortinhal/SalsaNext/issues/40)).
# - **The other way round.** nanoGPT dropped units at evaluation
#   ([karpathy/nanoGPT#240](https://github.com/karpathy/nanoGPT/pull/240)): a functional call that
#   nobody had told about the mode.

# %% [markdown]
# - **Both layers on one switch.** The advice `model(X, training=True)` for Monte Carlo dropout
#   ([keras-team/keras#9412](https://github.com/keras-team/keras/issues/9412)) wakes batch norm too.
#   lightning-uq-box puts its batch norm layers back into evaluation mode
#   ([lightning-uq-box/lightning-uq-box#173](https://github.com/lightning-uq-box/lightning-uq-box/pull/173)).
# - **Validation below training.** Asked in
#   [keras-team/keras#472](https://github.com/keras-team/keras/issues/472) in 2015, and ever since.
# - **(m,) against (m, 1).** Keras's mean squared error gave another value for each combination of
#   these shapes
#   ([tensorflow/tensorflow#37770](https://github.com/tensorflow/tensorflow/issues/37770)).

# %% [markdown] slide="slide"
# ## Recap
#
# 1. Dropout goes after hidden layers, behind `training`; a test loss is taken with it off.
# 2. One run proves little. Repeat, compare within runs, give an interval; then try the simple
#    model too.
# 3. Training loss with dropout on, test loss with it off: those are losses of two networks.
# 4. Left on, T passes give a mean and a spread; leave batch norm in prediction mode meanwhile.
# 5. On a regression's output dropout costs E[f²] · rate/keep and shrinks predictions to keep · y;
#    before batch norm it shifts the variance.
#
# **To remember: "it helped" is a statement about many runs, and about what else you tried.**
#
# Next: lesson 10, where all this runs without a session.

# %% [markdown] slide="slide"
# **References.** N. Srivastava et al., *Dropout: A Simple Way to Prevent Neural Networks from
# Overfitting*, JMLR 2014. Y. Gal and Z. Ghahramani, *Dropout as a Bayesian Approximation*, ICML
# 2016. X. Li et al., *Understanding the Disharmony between Dropout and Batch Normalization by
# Variance Shift*, arXiv:1801.05134, 2018; CVPR 2019. Dropout in regression more widely:
# [*Pitfalls with Dropout and BatchNorm in regression
# problems*](https://towardsdatascience.com/pitfalls-with-dropout-and-batchnorm-in-regression-problems-39e02ce08e4d/),
# Towards Data Science.
