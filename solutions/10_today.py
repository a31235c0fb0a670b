# %% [markdown] slide="slide"
# # Today
#
# **Where did all this go?**

# %% [markdown]
# When you are through you can say what `tf.function` orders by itself and what it still leaves out,
# train and fine-tune a normalized Keras 3 model with a loop of your own, write such a layer, and
# carry settings from one framework to another without changing what they mean.
#
# You need: lesson 04 (control dependencies), lesson 07 (the network on MNIST), lessons 08 and 09
# (dropout, and what it does to batch norm). Time: 85 minutes.
#
# This notebook needs a kernel of its own: TensorFlow 1 and Keras 3 do not go together.

# %% role="setup"
import numpy as np

from labsupport import check, hint, needs
from labsupport.controls import choice, explore, slider, tick
from labsupport.data import load_mnist
from labsupport.figures import today as figures
from labsupport.graphs import draw
from labsupport.tf2 import keras, tf

# %% [markdown] slide="slide"
# ## The same three lines
#
# The program that began lesson 04, as it is written today. There, the answer was 3, and `x` kept
# its 1.
#
# **Predict before you run:** what is printed in eager mode, and what if the function is compiled
# into a graph by `tf.function`?


# %% slide="fragment"
def add_after_update(x):
    x.assign(10.0)
    return tf.add(x, 2.0)


compiled = tf.function(add_after_update)
for name, function in (("eager", add_after_update), ("tf.function", compiled)):
    x = tf.Variable(1.0)
    print(f"{name:12} {function(x).numpy()}, and x is {x.numpy()} afterwards")

# %% [markdown]
# <details><summary>12 and 12. Is there no graph any more?</summary>
#
# There is. `tf.function` runs your Python once, with symbols in place of numbers, and builds a
# graph from what it meets: it *traces*. Nobody wrote `tf.control_dependencies`, and yet the update
# runs, and runs first. The picture shows why.
#
# </details>

# %% slide="slide"
graph = compiled.get_concrete_function(tf.Variable(1.0)).graph
draw(graph.outputs, names={"AssignVariableOp": "update", "Identity": "result", "NoOp": "end"})

# %% [markdown]
# The dashed arrows are there again; this time they were drawn for you. While it traces,
# `tf.function` notes every operation that has an effect and adds **automatic control
# dependencies**:
#
# - operations on the same variable run in the order of your lines;
# - an operation with an effect runs although nobody fetches it: `end` waits for it, and the result
#   for `end`.
#
# That is all that UPDATE_OPS was for. In a `tf.Graph` of your own nothing is added, today as then
# ([tf.control_dependencies](https://www.tensorflow.org/api_docs/python/tf/control_dependencies)).

# %% [markdown] slide="slide"
# ## What is still left out
#
# **Predict before you run:** a list of three numbers has nothing at place 5. Which of the two calls
# notices?


# %% slide="fragment"
def reads_too_far(numbers):
    tf.gather(numbers, 5)
    return tf.reduce_sum(numbers)


numbers = tf.constant([1.0, 2.0, 3.0])
for name, function in (("eager", reads_too_far), ("tf.function", tf.function(reads_too_far))):
    try:
        print(f"{name:12} {function(numbers).numpy()}")
    except tf.errors.InvalidArgumentError as error:
        print(f"{name:12} {type(error).__name__}")

# %% [markdown]
# <details><summary>Why only eager mode?</summary>
#
# `tf.gather` has no effect on anything, and nobody uses its result: as in lesson 04, it is left
# out. What is kept without being fetched is what has an effect (assigning, printing, checking with
# `tf.debugging.assert_…`). Code in a `tf.function` can therefore hide an error that eager mode
# shows; run a new step without `tf.function` first.
#
# </details>

# %% [markdown] slide="slide"
# ## What is still not ordered
#
# Order is kept per variable. Here are two variables; which operation waits for which?


# %% slide="fragment"
@tf.function
def two_variables(a, b):
    a.assign(1.0)
    b.assign(2.0)
    a.assign_add(10.0)


two = two_variables.get_concrete_function(tf.Variable(0.0), tf.Variable(0.0)).graph
for operation in two.get_operations():
    if "Assign" in operation.type and "/" not in operation.name:
        waits_for = [one.name for one in operation.control_inputs]
        print(f"{operation.name:22} waits for {waits_for}")

# %% [markdown]
# `assign_add` on `a` waits for the assignment to `a`; the assignment to `b` waits for nobody and
# may run first, last or at the same time. For two variables that is harmless. It is not for an
# assertion: it runs, but not necessarily before the line that it should protect. For that the
# documentation (same page as above) still recommends `tf.control_dependencies`.

# %% [markdown] slide="slide"
# ## Python runs once
#
# **Predict before you run:** the function is called three times. What is in the list, and what is
# `calls`?

# %% slide="fragment"
seen, calls = [], tf.Variable(0)


@tf.function
def double(x):
    seen.append(x)
    calls.assign_add(1)
    return 2 * x


for number in (1.0, 2.0, 3.0):
    double(tf.constant(number))
print(f"in the list: {len(seen)}, a {type(seen[0]).__name__}")
print(f"calls: {calls.numpy()}")

# %% [markdown]
# <details><summary>One, and it is no number</summary>
#
# The Python line ran once, while tracing, and put a symbol into the list. The graph then ran three
# times, and only what is in the graph happened three times: `calls` is 3. A moving mean that is a
# Python attribute meets the same fate. State that must outlive a call is a **variable**.
#
# </details>

# %% [markdown] slide="slide"
# ## Keras 3: the call is the update
#
# `keras.layers.BatchNormalization` has no collection and no update operation to remember. Called in
# training mode, it assigns to its moving statistics, there and then. Which mode a call is in is
# decided by the argument `training`, and by `trainable`.
#
# **Predict before you run:** data with mean 5. For which of the six calls does the output have mean
# 0, and for which does the moving mean move?

# %% slide="fragment"
data = 5 + 2 * np.random.RandomState(0).randn(200, 1).astype(np.float32)
for trainable in (True, False):
    for mode in ({}, {"training": False}, {"training": True}):
        bn = keras.layers.BatchNormalization(momentum=0.9)
        bn.trainable = trainable
        out = abs(bn(data, **mode).numpy().mean())
        call = f"bn(x{', training=' + str(mode['training']) if mode else ''})"
        moved = bn.moving_mean.numpy()[0]
        print(f"trainable={trainable!s:5}  {call:21} output {out:4.1f}, moving mean {moved:.2f}")

# %% [markdown]
# <details><summary>One of six</summary>
#
# A bare `bn(x)` predicts. So does a frozen layer, even when it is told `training=True`: since
# TensorFlow 2, `trainable=False` on a normalized layer means inference mode too. Before, it meant
# only that γ and β stay, and people fell over it for years (see below). `Dropout` has nothing to
# train, so `trainable` means nothing to it.
#
# </details>

# %% [markdown]
# Move the controls: 40 batches go through the layer, one after another.


# %% role="setup"
def forty_calls(training, trainable, momentum):
    rng = np.random.RandomState(1)
    bn = keras.layers.BatchNormalization(momentum=momentum)
    bn.build((None, 1))
    bn.trainable, path = trainable, [0.0]
    for _ in range(40):
        out = bn(5 + 2 * rng.randn(200, 1).astype(np.float32), training=training)
        path.append(float(bn.moving_mean.numpy()[0]))
    return figures.modes(out.numpy().ravel(), path, mu=5.0)


# %% slide="slide"
explore(
    forty_calls,
    training=choice([True, False, None], "training", True),
    trainable=tick(True, "trainable"),
    momentum=slider(0.9, 0.5, 0.99, 0.01, "momentum"),
)

# %% [markdown] slide="slide"
# ## Dropout, and a number that turned round
#
# In lesson 08 the 0.8 of `tf.nn.dropout(x, 0.8)` kept in version 1 and dropped in version 2.
#
# **Predict before you run:** what does the 0.8 of Keras's `Dropout(0.8)` do in a bare call, and
# with `training=True`?

# %% slide="fragment"
keras.utils.set_random_seed(0)
ones = tf.ones(100_000)
ways = {
    "tf.nn.dropout(x, 0.8)": tf.nn.dropout(ones, 0.8),
    "Dropout(0.8), bare": keras.layers.Dropout(0.8)(ones),
    "the same, training=True": keras.layers.Dropout(0.8)(ones, training=True),
}
for name, out in ways.items():
    print(f"{name:26} {100 * np.mean(out.numpy() == 0):3.0f} % zeros")

# %% [markdown]
# It is the rate, and a bare call predicts, as with batch norm. Old code that gives 0.8 without a
# name still runs, and drops four times as much.

# %% [markdown] slide="slide"
# ## The network of lesson 07
#
# 784 → 300 → batch norm → ELU → 100 → batch norm → ELU → 10 logits, with the same initialization,
# momentum and learning rate.


# %% role="setup"
def make_network(seed=0):
    keras.utils.set_random_seed(seed)
    layers, network = keras.layers, keras.Sequential([keras.Input((784,))])
    for units in (300, 100):
        he = keras.initializers.VarianceScaling(scale=2.0)
        network.add(layers.Dense(units, use_bias=False, kernel_initializer=he))
        network.add(layers.BatchNormalization(momentum=0.9))
        network.add(layers.Activation("elu"))
    he = keras.initializers.VarianceScaling(scale=2.0)
    network.add(layers.Dense(10, kernel_initializer=he))
    return network


train_images, train_labels, test_images, test_labels = load_mnist(flat=True)
cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


# %% role="setup"
def accuracy(network, images=test_images, training=False):
    logits = network(images, training=training).numpy()
    return np.mean(logits.argmax(axis=1) == test_labels)


# %% [markdown] slide="slide"
# ## Four hundred parameters for nothing
#
# A dense layer has a bias unless it is told otherwise. The two before batch norm are told, as in
# lesson 07. Here is one that is not. A `GradientTape` notes what is computed inside its block, so
# that it can be asked for gradients afterwards.
#
# **Predict before you run:** how large is the gradient of the bias `dense/bias`, next to that of
# β, which is added to the same 300 features a little later?

# %% slide="fragment"
keras.utils.set_random_seed(0)
first, last = keras.layers.Dense(300, name="dense"), keras.layers.Dense(10, name="logits")
norm = keras.layers.BatchNormalization(name="norm")
biased = keras.Sequential([keras.Input((784,)), first, norm, last])
with tf.GradientTape() as tape:
    logits = biased(train_images[:50], training=True)
    mean_loss = cross_entropy(train_labels[:50], logits)
variables = biased.trainable_variables
for variable, slope in zip(variables, tape.gradient(mean_loss, variables), strict=True):
    print(f"{variable.path:26} largest gradient {np.abs(slope).max():.5f}")

# %% [markdown]
# <details><summary>Nothing at all</summary>
#
# The gradient of the bias is $\sum_i dx_i$, the first of lesson 03's two sums: 0, up to rounding.
# In lesson 07's network that would make 300 + 100 parameters to store, to send and to update for
# nothing.
#
# </details>

# %% [markdown]
# `fit` knows that it trains and `predict` that it does not; with them there is nothing to forget.

# %% slide="fragment" volatile="last digits differ between processors"
network = make_network()
network.compile(optimizer=keras.optimizers.SGD(0.01), loss=cross_entropy)
network.fit(train_images, train_labels, batch_size=50, epochs=10, verbose=0)
print(f"{100 * accuracy(network):.0f} % after 10 epochs")

# %% [markdown]
# Lesson 07 had 90 %, the mean of three random starts. Three starts here, with the loop further
# down: 91, 89 and 91 %. The collection, the control dependencies, the placeholder and the session
# are gone, and the number is the same.

# %% [markdown] slide="slide"
# ## Dropout beside batch norm
#
# 2,000 rows of mean 2 and variance 1 go through dropout at rate 0.5 and through batch norm, in
# either order.
#
# **Predict before you run:** by lesson 09's formula, which variance does batch norm note in
# training, and what is the standard deviation of its output in prediction?

# %% slide="fragment"
keras.utils.set_random_seed(0)
rows = (2 + np.random.RandomState(4).randn(2000, 50)).astype(np.float32)
for dropout_first in (True, False):
    drop, norm = keras.layers.Dropout(0.5), keras.layers.BatchNormalization(momentum=0.9)
    both = keras.Sequential([drop, norm] if dropout_first else [norm, drop])
    for _ in range(100):
        both(rows, training=True)
    noted, spread = norm.moving_variance.numpy().mean(), both(rows).numpy().std()
    order = "dropout, batch norm" if dropout_first else "batch norm, dropout"
    print(f"{order}: noted variance {noted:.1f}, standard deviation in prediction {spread:.2f}")

# %% [markdown]
# <details><summary>6, and 0.41 where it should be 1</summary>
#
# $\sigma^2 + (\mu^2 + \sigma^2)\,\text{rate}/\text{keep}$ is 1 + (4 + 1) · 1 = 6, and batch norm
# divides by its root also in prediction, where nothing is dropped and the variance is 1.
#
# A dense layer between the two hands the difference on. A DenseNet on CIFAR-100 fell from 77.4 to
# 68.6 % with dropout in each block (Li et al. 2018, figure 1).
#
# </details>

# %% [markdown] slide="slide"
# ## Exercise: a place for dropout
#
# Write `hidden_layers(units, rate)`. It returns a list of Keras layers:
#
# - for each number in `units` a dense layer of that size, batch norm with momentum 0.9, and ELU, in
#   the order of `make_network`; no parameter is for nothing;
# - dropout with this rate, once, in a place where every batch norm meets in prediction what it
#   noted in training.


# %% role="answer" exercise="k-dropout"
def hidden_layers(units, rate):
    ### BEGIN SOLUTION
    layers = []
    for size in units:
        layers.append(keras.layers.Dense(size, use_bias=False))
        layers.append(keras.layers.BatchNormalization(momentum=0.9))
        layers.append(keras.layers.Activation("elu"))
    return [*layers, keras.layers.Dropout(rate)]
    ### END SOLUTION


# %% role="check" exercise="k-dropout"
check("k-dropout")

# %% role="hint" exercise="k-dropout"
# hint("k-dropout")  # take the first # away and run: one hint at a time

# %% [markdown] slide="slide"
# ## Exercise: a step of your own
#
# `fit` is not enough when two networks train together, or a gradient is to be clipped. Write
# `train_step(model, optimizer, images, labels)`: one step on one batch, for any Keras model with
# logits.
#
# - The trainable weights take a step, by the optimizer that is given.
# - The moving statistics move, once.
# - It returns the mean cross-entropy of the batch, in training mode, before the step.
# - What is frozen stays as it is. It also works inside `tf.function`.


# %% role="answer" exercise="k-train-step"
def train_step(model, optimizer, images, labels):
    ### BEGIN SOLUTION
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    with tf.GradientTape() as tape:
        loss = cross_entropy(labels, model(images, training=True))
    variables = model.trainable_variables
    optimizer.apply(tape.gradient(loss, variables), variables)
    return loss
    ### END SOLUTION


# %% role="check" exercise="k-train-step"
check("k-train-step")

# %% role="hint" exercise="k-train-step"
# hint("k-train-step")  # take the first # away and run: one hint at a time

# %% [markdown] slide="slide"
# ## Now break it: `training=True` forgotten
#
# `careless` below lets the model be called bare, whatever your step asks for.
#
# **Predict before you run:** by how many points does the test accuracy fall? Lesson 07 lost sixteen
# when its updates never ran.


# %% role="setup"
class Careless(keras.Model):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def call(self, images):
        return self.network(images, training=False)


def careless(network):
    """The same network, which believes that it always predicts."""
    return Careless(network)


# %% role="setup"
def train(model, epochs=10, seed=0, light=1.0):
    step, order = tf.function(train_step), np.random.RandomState(seed)
    optimizer = keras.optimizers.SGD(0.01)
    model(light * train_images[:50], training=False)
    optimizer.build(model.trainable_variables)
    for _epoch in range(epochs):
        for rows in order.permutation(len(train_images)).reshape(-1, 50):
            step(model, optimizer, light * train_images[rows], train_labels[rows])
    return accuracy(model, light * test_images)


# %% slide="fragment" volatile="last digits differ between processors"
trained, forgot = make_network(), make_network()
print(f"training=True    {100 * train(trained):.0f} %")
print(f"forgotten        {100 * train(careless(forgot)):.0f} %")
for name, model in (("training=True", trained), ("forgotten", forgot)):
    moved = max(np.abs(layer.moving_mean).max() for layer in model.layers[1::3])
    print(f"{name:16} largest moving mean {moved:.2f}")

# %% [markdown]
# <details><summary>It hardly falls</summary>
#
# One point (89 against 90 %, means of three starts), as without batch norm at all, because that is
# what it is: a bare call divides by √(1 + ε), multiplies by γ and adds β, in training and testing
# alike. In lesson 07 the two modes disagreed; here they agree on not normalizing. No accuracy will
# tell you. The moving means will: exactly 0.
#
# </details>

# %% [markdown]
# The layer is missed when it is needed. Lesson 07's trouble again: every image 100 times darker,
# 3 epochs.

# %% volatile="last digits differ between processors"
print(f"training=True    {100 * train(make_network(), epochs=3, light=0.01):.0f} %")
print(f"forgotten        {100 * train(careless(make_network()), epochs=3, light=0.01):.0f} %")

# %% [markdown] slide="slide"
# ## Looking moves what is looked at
#
# In TensorFlow 1, evaluating with `training: True` gave a wrong number and did no harm: the updates
# were not fetched. In Keras? We show the trained network the test digits in negative, ten times, in
# training mode, and test it before and after.
#
# **Predict before you run:** does its accuracy on the ordinary digits change?

# %% slide="fragment" volatile="last digits differ between processors"
print(f"before {100 * accuracy(trained):.0f} %")
for _ in range(10):
    trained(1 - test_images, training=True)
print(f"after  {100 * accuracy(trained):.0f} %")

# %% [markdown]
# No optimizer, no gradient, no weight has changed. The call is the update: whoever uses
# `training=True` for dropout's sake, in Monte Carlo dropout for instance (lesson 09), moves the
# statistics of every normalized layer with each call. Freeze those layers first.

# %% [markdown] slide="slide"
# ## Exercise: a Keras layer of your own
#
# Write `BatchNorm`, made from `keras.layers.Layer`, for `x` of shape (m, D), with
# `BatchNorm(momentum, epsilon)` and `call(x, training=False)`:
#
# - attributes `gamma`, `beta` (trained), `moving_mean`, `moving_variance` (not), starting at 1, 0,
#   0, 1; momentum is the weight of the old value, the variances are biased;
# - all four stand in the layer's lists of variables, else they are not saved with a model;
# - it predicts unless `training=True`, and if it is frozen even then;
# - it works inside `tf.function`.


# %% role="answer" exercise="k-layer" long="a whole layer"
class BatchNorm(keras.layers.Layer):
    def __init__(self, momentum=0.99, epsilon=1e-3):
        super().__init__()
        self.momentum, self.epsilon = momentum, epsilon

    def build(self, shape):
        ### BEGIN SOLUTION
        d, kept = (shape[-1],), {"trainable": False}
        self.gamma = self.add_weight(shape=d, initializer="ones")
        self.beta = self.add_weight(shape=d, initializer="zeros")
        self.moving_mean = self.add_weight(shape=d, initializer="zeros", **kept)
        self.moving_variance = self.add_weight(shape=d, initializer="ones", **kept)
        ### END SOLUTION

    def call(self, x, training=False):
        ### BEGIN SOLUTION
        if training and self.trainable:
            mu, var = tf.nn.moments(x, axes=[0])
            old, new = self.momentum, 1 - self.momentum
            self.moving_mean.assign(old * self.moving_mean + new * mu)
            self.moving_variance.assign(old * self.moving_variance + new * var)
        else:
            mu, var = self.moving_mean, self.moving_variance
        x_hat = (x - mu) / tf.sqrt(var + self.epsilon)
        return self.gamma * x_hat + self.beta
        ### END SOLUTION


# %% role="check" exercise="k-layer"
check("k-layer")

# %% role="hint" exercise="k-layer"
# hint("k-layer")  # take the first # away and run: one hint at a time

# %% [markdown]
# Your layer and Keras's, three training steps on the same batches and a prediction:

# %%
rng = np.random.RandomState(2)
yours, theirs = BatchNorm(0.9, 1e-3), keras.layers.BatchNormalization(momentum=0.9)
for _ in range(3):
    x = (4 + 3 * rng.randn(20, 5)).astype(np.float32)
    apart = [np.abs(yours(x, training=True) - theirs(x, training=True)).max()]
apart.append(np.abs(yours(x) - theirs(x)).max())
print("apart by less than 1e-5:", bool(max(apart) < 1e-5))

# %% [markdown] slide="slide"
# ## Freezing: a recipe that went stale
#
# To fine-tune on small batches, a pretrained model keeps its statistics, also after its weights are
# set free. The usual recipe: `base(start, training=False)` when the outer model is built.
#
# **Predict before you run:** the outer model is called with `training=True`. Does the moving mean
# move?

# %% slide="fragment"
base = keras.Sequential([keras.Input((1,)), keras.layers.BatchNormalization(momentum=0.9)])
start = keras.Input((1,))
outer = keras.Model(start, keras.layers.Dense(1)(base(start, training=False)))
for base_learns in (False, True):
    base.trainable = base_learns
    outer(data, training=True)
    moved = base.layers[-1].moving_mean.numpy()[0]
    print(f"base.trainable={base_learns!s:5}  moving mean {moved:.2f}")

# %% [markdown]
# <details><summary>They do, as soon as the base is set free</summary>
#
# In Keras 3 the `training` of the outer call goes down to every layer of a *functional* model and
# overrides what was said when it was built
# ([keras-team/keras#20285](https://github.com/keras-team/keras/issues/20285)). As long as the base
# is frozen, `trainable=False` hides that. In the `call` method of a model class, what you say is
# what happens, at every call.
#
# </details>

# %% [markdown] slide="slide"
# ## Exercise: freeze for good
#
# Write `fine_tune(base, classes)`. It gets a pretrained model, which gives a row of features per
# image, and returns a `keras.Model`: the base, and a new dense layer that gives `classes` logits.
# However that model is called,
#
# - nothing of the base moves, weights or statistics, also in models inside it;
# - the new layer learns;
# - no output depends on the rest of the batch;
# - later, after `base.trainable = True`, the base's weights learn, and its statistics still stand
#   still, in training mode too.


# %% role="answer" exercise="k-freeze"
### BEGIN SOLUTION
class FineTuned(keras.Model):
    def __init__(self, base, classes):
        super().__init__()
        self.base = base
        self.head = keras.layers.Dense(classes)

    def call(self, x):
        return self.head(self.base(x, training=False))


def fine_tune(base, classes):
    base.trainable = False
    return FineTuned(base, classes)


### END SOLUTION

# %% role="check" exercise="k-freeze"
check("k-freeze")

# %% role="hint" exercise="k-freeze"
# hint("k-freeze")  # take the first # away and run: one hint at a time

# %% [markdown] slide="slide"
# ## One layer, five conventions
#
# Lesson 02's table, continued.
#
# | each row from its link | momentum weighs | default | ε | moving variance | channels |
# | --- | --- | --- | --- | --- | --- |
# | [`tf.layers`][1] | the old value | 0.99 | `epsilon` 1e-3 | 4-D fused [**unbiased**][6] | last |
# | [Keras 3][2] | the old value | 0.99 | `epsilon` 1e-3 | biased (measured below) | last |
# | [PyTorch][3] | **the new value** | **0.1** | `eps` 1e-5 | **unbiased** | axis 1 |
# | [Flax][4] | the old value | 0.99 | `epsilon` 1e-5 | biased ([source][7]) | last |
# | [MXNet][5] | the old value | 0.9 | `eps` 1e-3 | `var(data)` | axis 1 |
#
# MXNet's `npx.batch_norm` also keeps γ at 1 unless told `fix_gamma=False`. The 2-D path of
# `tf.layers` keeps the biased variance (lesson 06).
#
# [1]: https://www.tensorflow.org/versions/r1.15/api_docs/python/tf/layers/batch_normalization
# [2]: https://www.tensorflow.org/api_docs/python/tf/keras/layers/BatchNormalization
# [3]: https://docs.pytorch.org/docs/stable/generated/torch.nn.modules.batchnorm.BatchNorm1d.html
# [4]: https://flax.readthedocs.io/en/v0.6.10/api_reference/_autosummary/flax.linen.BatchNorm.html
# [5]: https://mxnet.apache.org/versions/master/api/python/docs/api/npx/generated/mxnet.npx.batch_norm.html
# [6]: https://github.com/tensorflow/tensorflow/issues/55545
# [7]: https://flax.readthedocs.io/en/v0.8.0/_modules/flax/linen/normalization.html

# %% [markdown] slide="slide"
# ## Who says that this is training?
#
# | each row from its links | the flag | if nobody says | the update | dropout's number |
# | --- | --- | --- | --- | --- |
# | tf.layers | [`training=False`][1] | predicts | UPDATE_OPS | [`rate`][7]; tf.nn: [**keep**][6] |
# | Keras 3 | [`training=None`][2] | predicts | the call | [`rate`][8] |
# | PyTorch | [`.train()`, `.eval()`][3] | [**trains**][12] | the call | [`p`, dropped][9] |
# | Flax | [`use_running_average`][4] | an [error][13] | [`mutable=[…]`][4] | [`rate`][10] |
# | MXNet | [`autograd.record()`][5] | predicts | the call | [`p`, dropped][11] |
#
# [1]: https://www.tensorflow.org/versions/r1.15/api_docs/python/tf/layers/batch_normalization
# [2]: https://www.tensorflow.org/api_docs/python/tf/keras/layers/BatchNormalization
# [3]: https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
# [4]: https://flax.readthedocs.io/en/v0.6.10/api_reference/_autosummary/flax.linen.BatchNorm.html
# [5]: https://mxnet.apache.org/versions/0.11.0/api/python/autograd.html
# [6]: https://www.tensorflow.org/versions/r1.15/api_docs/python/tf/nn/dropout
# [7]: https://www.tensorflow.org/versions/r1.15/api_docs/python/tf/layers/dropout
# [8]: https://keras.io/api/layers/regularization_layers/dropout
# [9]: https://docs.pytorch.org/docs/stable/generated/torch.nn.modules.dropout.Dropout.html
# [10]: https://flax.readthedocs.io/en/v0.6.10/api_reference/_autosummary/flax.linen.Dropout.html
# [11]: https://mxnet.apache.org/versions/master/api/python/docs/api/npx/generated/mxnet.npx.dropout.html
# [12]: https://discuss.pytorch.org/t/how-to-know-the-status-for-the-model-train-or-eval/85718
# [13]: https://github.com/google/flax/blob/v0.8.0/flax/linen/module.py

# %% [markdown]
# What can be measured here: the variance that is stored, divided by the biased variance of the
# batch. With n values per feature or channel an unbiased one gives n/(n − 1).

# %%
rng = np.random.RandomState(3)
for shape in ((4, 3), (4, 1, 1, 3), (4, 2, 2, 3)):
    x, n = rng.randn(*shape).astype(np.float32), int(np.prod(shape[:-1]))
    bn = keras.layers.BatchNormalization(momentum=0.0)
    bn(x, training=True)
    batch_var = x.reshape(-1, 3).var(axis=0)
    print(f"n = {n:2}  Keras, {len(shape)}-D {(bn.moving_variance.numpy() / batch_var).mean():.3f}")
    if len(shape) == 4:
        fused = tf.compat.v1.nn.fused_batch_norm(x, np.ones(3, "f"), np.zeros(3, "f"))
        stored = (fused[2].numpy() / batch_var).mean()
        print(f"        fused kernel {stored:.3f}, n/(n - 1) = {n / (n - 1):.3f}")

# %% [markdown]
# Keras 3 stores the biased variance for images too; the fused kernel, which `tf.layers` and older
# Keras use for 4-D inputs, the unbiased one. With 4 values the two differ by a third, with a
# thousand by a thousandth.

# %% [markdown] slide="slide"
# ## Exercise: the same settings in Keras
#
# Write `to_keras(layer, settings)`. It returns a dict of arguments with which Keras's
# `BatchNormalization`, `Dropout` or `Dense` does what that layer does. `layer` is one of
#
# - `"torch.nn.BatchNorm2d"`, `"flax.linen.BatchNorm"`, `"mxnet.npx.batch_norm"`: `settings` may
#   hold momentum and ε under the names that they have there; what is missing has that framework's
#   default. Each gets images in its framework's own layout; say so with `axis`.
# - `"tf.compat.v1.nn.dropout"`, with `keep_prob`;
# - `"torch.nn.Linear before BatchNorm1d"`, with `out_features`: a `Dense` layer that does what the
#   linear one does under its batch norm, without a parameter for nothing.


# %% role="answer" exercise="k-convert"
def to_keras(layer, settings):
    ### BEGIN SOLUTION
    if layer == "tf.compat.v1.nn.dropout":
        return {"rate": 1 - settings["keep_prob"]}
    if layer == "torch.nn.Linear before BatchNorm1d":
        return {"units": settings["out_features"], "use_bias": False}
    if layer == "torch.nn.BatchNorm2d":
        settings = {"momentum": 0.1, "eps": 1e-5, **settings}
        momentum = 1 - settings["momentum"]
        return {"axis": 1, "momentum": momentum, "epsilon": settings["eps"]}
    if layer == "flax.linen.BatchNorm":
        settings = {"momentum": 0.99, "epsilon": 1e-5, **settings}
        return {"axis": -1, **settings}
    settings = {"momentum": 0.9, "eps": 1e-3, **settings}
    return {"axis": 1, "momentum": settings["momentum"], "epsilon": settings["eps"]}
    ### END SOLUTION


# %% role="check" exercise="k-convert"
check("k-convert")

# %% role="hint" exercise="k-convert"
# hint("k-convert")  # take the first # away and run: one hint at a time

# %% [markdown]
# PyTorch's 0.1, copied and converted, after one batch with mean 5:

# %%
converted = to_keras("torch.nn.BatchNorm2d", {"momentum": 0.1})["momentum"]
for name, momentum in (("copied", 0.1), ("converted", converted)):
    bn = keras.layers.BatchNormalization(momentum=momentum)
    bn(data, training=True)
    print(f"{name:10} moving mean {bn.moving_mean.numpy()[0] / data.mean():.2f} of the way")

# %% [markdown]
# ## In the wild
#
# - **Frozen, and still moving**, before TensorFlow 2: reported in 2016, explained away, reported
#   again ([keras-team/keras#4762](https://github.com/keras-team/keras/issues/4762),
#   [#7085](https://github.com/keras-team/keras/issues/7085),
#   [#9965](https://github.com/keras-team/keras/pull/9965)).
# - **`training=True` forgotten in a loop of one's own**, taken to be the main reason for unstable
#   training ([michalfaber/tensorflow_Realtime_Multi-Person_Pose_Estimation#13](https://github.com/michalfaber/tensorflow_Realtime_Multi-Person_Pose_Estimation/issues/13);
#   asked in [tensorflow/tensorflow#32864](https://github.com/tensorflow/tensorflow/issues/32864)).
# - **Momentum copied**: ported models of a large library
#   ([huggingface/transformers#19454](https://github.com/huggingface/transformers/pull/19454)); the
#   other way round, 0.99 in PyTorch
#   ([pytorch/vision#8250](https://github.com/pytorch/vision/issues/8250)).

# %% [markdown] slide="slide"
# ## Recap
#
# 1. `tf.function` adds the control dependencies: effects run, in order per variable. What has no
#    effect and no reader is still left out; Python lines run once.
# 2. In Keras the call is the update. Bare calls predict; `trainable=False` predicts too.
# 3. `training=True` forgotten costs a point on easy data, and all where batch norm is needed.
# 4. In a functional Keras 3 model the outer call's `training` wins over the inner one.
# 5. Momentum, ε, axis, variance and the flag differ between frameworks; convert, do not copy.
#
# **To remember: the machinery went into the call, so what matters now is how you call it.**
#
# Next: lesson 11, where eight programs wait to be examined.

# %% [markdown] slide="slide"
# **References.** X. Li et al., *Understanding the Disharmony between Dropout and Batch
# Normalization by Variance Shift*, arXiv:1801.05134, 2018; CVPR 2019.
