# %% [markdown] slide="slide"
# # MNIST
#
# **Does it matter?**

# %% [markdown]
# When you are through you can train and evaluate a batch-normalized network in TensorFlow, find a
# layer that stands still though every accuracy looks fine, and save and restore a network with all
# that its predictions need.
#
# You need: lesson 02 (moving statistics) and lesson 06 (UPDATE_OPS). Time: 75 minutes; the cells
# that train take about 40 seconds of it.

# %% role="setup"
import os
import tempfile
from types import SimpleNamespace

import numpy as np

from labsupport import check, hint, needs
from labsupport.controls import explore, slider
from labsupport.data import load_mnist
from labsupport.figures import mnist as figures
from labsupport.live import LivePicture, bar
from labsupport.tf1 import tf

# %% role="setup"
FULL = False  # True: all 70,000 digits, from this machine or the network; about 3 times as long
EPOCHS, FEW = (2, 1) if FULL else (10, 3)

train_images, train_labels, test_images, test_labels = load_mnist(full=FULL, flat=True)

# %% [markdown] slide="slide"
# ## The network
#
# ```text
# 784 pixels → 300 → batch norm → ELU → 100 → batch norm → ELU → 10 logits
# ```
#
# - Dense layers before a batch norm have no bias: its gradient would be 0 (lesson 03).
# - He initialization: weights with variance $2 / n$ for $n$ inputs (He et al. 2015). In TensorFlow
#   that is `variance_scaling_initializer(scale=2.0)`; the default `scale` is 1.
# - The logits are the ten scores that the softmax in the loss turns into probabilities.
# - ELU is $h$ for $h > 0$ and $e^h - 1$ below.
# - Moving averages with momentum 0.9; plain gradient descent, learning rate 0.01, batches of 50.
#
# A published listing of this network looks like this, in our words:


# %% role="setup"
def published_network(x, training):
    he = tf.variance_scaling_initializer(scale=2.0)

    h = tf.layers.dense(x, 300, use_bias=False, kernel_initializer=he, name="hidden1")
    h = tf.layers.batch_normalization(h, momentum=0.9, name="bn1")
    h = tf.nn.elu(h)

    h = tf.layers.dense(h, 100, use_bias=False, kernel_initializer=he, name="hidden2")
    h = tf.layers.batch_normalization(h, momentum=0.9, name="bn2", training=training)
    h = tf.nn.elu(h)

    return tf.layers.dense(h, 10, kernel_initializer=he, name="logits")


# %% [markdown]
# Around it goes what every network here needs: a graph of its own, what is fed, the loss, the
# accuracy, and a session. `make_step(loss)` makes the operation that is run for every batch.


# %% role="setup" long="the graph around every network of this lesson"
def start(network, make_step, seed=0):
    """A network in a fresh graph, with a session that is ready to train it."""
    net = SimpleNamespace(graph=tf.Graph())
    with net.graph.as_default():
        tf.set_random_seed(seed)
        net.x = tf.placeholder(tf.float32, (None, 784))
        net.label = tf.placeholder(tf.int64, (None,))
        net.training = tf.placeholder_with_default(False, ())
        net.logits = network(net.x, net.training)
        error = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=net.label, logits=net.logits)
        net.loss = tf.reduce_mean(error)
        correct = tf.equal(tf.argmax(net.logits, axis=1), net.label)
        net.accuracy = tf.reduce_mean(tf.cast(correct, tf.float32))
        net.step = make_step(net.loss)
        net.session = tf.Session()
        net.session.run(tf.global_variables_initializer())
    return net


# %% [markdown]
# Training feeds `training: True`; evaluating does not, and the placeholder's default is `False`.


# %% role="setup" long="the training loop"
def evaluate(net, training=False):
    """Accuracy on the test digits. Runs no step and no update."""
    feed = {net.x: test_images, net.label: test_labels, net.training: training}
    return float(net.session.run(net.accuracy, feed))


def train(net, epochs=EPOCHS, seed=0, after_epoch=lambda: None):
    """Accuracy on the test digits after each epoch."""
    order, history = np.random.RandomState(seed), []
    for _epoch in range(epochs):
        for rows in order.permutation(len(train_images)).reshape(-1, 50):
            feed = {net.x: train_images[rows], net.label: train_labels[rows], net.training: True}
            net.session.run(net.step, feed)
        history.append(evaluate(net))
        after_epoch()
    return history


# %% [markdown] slide="slide"
# ## One network, two accuracies
#
# We train it with the plainest step there is, `minimize(loss)`. After each epoch the same weights
# are tested twice on the same 1,000 digits: with `training: True` and without.
#
# **Predict before you run:** do the two curves agree in the end? If not, which one is lower, and by
# how much?


# %% role="setup"
def plain_step(loss):
    return tf.train.GradientDescentOptimizer(0.01).minimize(loss)


# %% slide="fragment" volatile="redrawn after each epoch; last digits differ between processors"
net = start(published_network, plain_step)
live, curves = LivePicture(), {"training: True": [], "training: False": []}


def draw_both():
    curves["training: True"].append(evaluate(net, training=True))
    curves["training: False"].append(evaluate(net))
    live.show(figures.accuracy(curves, epochs=EPOCHS))


history = train(net, after_epoch=draw_both)

# %% [markdown]
# <details><summary>Why are there two?</summary>
#
# 91 % with `training: True`, 70 % without. The weights are the same. In training mode the digits
# are normalized with their own batch; in prediction mode with the moving statistics, and nothing
# has moved those: `minimize` does not run the update operations (lesson 06). The loss goes down as
# it should, no error, no warning. Whoever looks at the loss alone sees nothing.
#
# </details>

# %% [markdown] slide="slide"
# ## Exercise: a step that keeps the books
#
# Three lines that stand in every TensorFlow 1 program with batch norm; write them without looking
# back. `make_train_op(loss)` returns the operation that is run for every batch:
#
# - it takes a step of gradient descent with learning rate 0.01;
# - and with every step the moving statistics move.
#
# The network is in the current graph when the function is called. It may also have no batch norm
# at all.


# %% role="answer" exercise="mnist-train-step"
def make_train_op(loss):
    ### BEGIN SOLUTION
    updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
    with tf.control_dependencies(updates):
        return tf.train.GradientDescentOptimizer(0.01).minimize(loss)
    ### END SOLUTION


# %% role="check" exercise="mnist-train-step"
check("mnist-train-step")

# %% role="hint" exercise="mnist-train-step"
# hint("mnist-train-step")  # take the first # away and run: one hint at a time

# %% [markdown]
# The published network again, with your step:

# %% volatile="last digits differ between processors"
published = start(published_network, make_train_op)
history = train(published)
for training in (True, False):
    print(f"training: {training!s:5}  {100 * evaluate(published, training):.0f} %")

# %% [markdown] slide="slide"
# ## Would you sign this?
#
# 91 and 90 %: the two modes agree. The listing trains, the loss falls, the accuracy is good. Most
# reviews end here.
#
# Look at one more thing. A normalized layer has two moving statistics, so it registers two update
# operations; the network has two such layers.
#
# **Predict before you run:** how many operations are in UPDATE_OPS?

# %% slide="fragment"
for operation in published.graph.get_collection(tf.GraphKeys.UPDATE_OPS):
    print("an update of", operation.name.split("/")[0])

# %% [markdown]
# Two, where four are due, and both belong to `bn2`. That is a suspicion. The evidence is in the
# values: here is every unit's moving mean and moving variance after 10 epochs.


# %% role="setup"
def moving_statistics(net, layer):
    """The moving means and the moving variances of a layer's units."""
    with net.graph.as_default():
        stored = {v.op.name: v for v in tf.global_variables()}
    names = (f"{layer}/moving_mean", f"{layer}/moving_variance")
    return net.session.run([stored[name] for name in names])


# %% slide="fragment" volatile="last digits differ between processors"
layers = {name: moving_statistics(published, name) for name in ("bn1", "bn2")}
figures.moving_statistics(layers)

# %% [markdown] slide="slide"
# ## Exercise: an audit
#
# Make a tool of that. `still_layers(build, images)` gets a function like `published_network`, which
# builds a network in the current graph from the tensors `x` and `training`, and an array `images`
# of shape (m, D). It returns the sorted names of the normalized layers whose moving statistics
# **do not move** in training.
#
# Go by evidence: build the network in a graph of your own, look at the values, let the updates
# run, and look again. You need no loss and no optimizer. Layers have names without a slash; the
# statistics of `bn1` are `bn1/moving_mean` and `bn1/moving_variance`.


# %% role="answer" exercise="mnist-audit" long="a small tool in one piece"
def still_layers(build, images):
    ### BEGIN SOLUTION
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, (None, images.shape[1]))
        training = tf.placeholder_with_default(False, ())
        build(x, training)
        statistics = [v for v in tf.global_variables() if "/moving_" in v.name]
        updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)

        session.run(tf.global_variables_initializer())
        before = session.run(statistics)
        session.run(updates, {x: images, training: True})
        after = session.run(statistics)

    pairs = zip(statistics, before, after, strict=True)
    still = [v for v, a, b in pairs if np.array_equal(a, b)]
    return sorted({v.name.split("/")[0] for v in still})
    ### END SOLUTION


# %% role="check" exercise="mnist-audit"
check("mnist-audit")

# %% role="hint" exercise="mnist-audit"
# hint("mnist-audit")  # take the first # away and run: one hint at a time

# %%
print("standing still:", still_layers(published_network, train_images[:50]))

# %% [markdown] slide="slide"
# ## Exercise: mend it
#
# Write `build_network(x, training)`: the published network, mended. Both layers normalize with the
# batch in training and note its statistics; both predict with what they noted. `x` may have any
# number of pixels; everything else stays as it is in the listing. Return the logits.


# %% role="answer" exercise="mnist-find-the-bug"
def build_network(x, training):
    ### BEGIN SOLUTION
    he = tf.variance_scaling_initializer(scale=2.0)

    h = tf.layers.dense(x, 300, use_bias=False, kernel_initializer=he, name="hidden1")
    h = tf.layers.batch_normalization(h, momentum=0.9, name="bn1", training=training)
    h = tf.nn.elu(h)

    h = tf.layers.dense(h, 100, use_bias=False, kernel_initializer=he, name="hidden2")
    h = tf.layers.batch_normalization(h, momentum=0.9, name="bn2", training=training)
    h = tf.nn.elu(h)

    return tf.layers.dense(h, 10, kernel_initializer=he, name="logits")
    ### END SOLUTION


# %% role="check" exercise="mnist-find-the-bug"
check("mnist-find-the-bug")

# %% role="hint" exercise="mnist-find-the-bug"
# hint("mnist-find-the-bug")  # take the first # away and run: one hint at a time

# %%
built = start(build_network, make_train_op)
print("update operations:", len(built.graph.get_collection(tf.GraphKeys.UPDATE_OPS)))
print("standing still:", still_layers(build_network, train_images[:50]))

# %% [markdown] slide="slide"
# ## Does it matter?
#
# Four ways to train the same 784-300-100-10 network, each from three random starts: without batch
# norm, with batch norm whose updates never run, as published, and mended.
#
# **Predict before you run:** rank them by test accuracy. How many points lie between neighbours?


# %% role="setup"
def without_batch_norm(x, training):
    he = tf.variance_scaling_initializer(scale=2.0)
    h = tf.layers.dense(x, 300, activation=tf.nn.elu, kernel_initializer=he)
    h = tf.layers.dense(h, 100, activation=tf.nn.elu, kernel_initializer=he)
    return tf.layers.dense(h, 10, kernel_initializer=he)


# %%
ways = {
    "mended": (build_network, make_train_op),
    "updates never run": (build_network, plain_step),
    "as published": (published_network, make_train_op),
    "without batch norm": (without_batch_norm, make_train_op),
}

# %% slide="fragment" volatile="last digits differ between processors"
runs = {way: [] for way in ways}
for way, seed in bar([(way, seed) for seed in range(3) for way in ways], "12 trainings"):
    contestant = start(*ways[way], seed=seed)
    runs[way].append(train(contestant, seed=seed))
    contestant.session.close()
figures.accuracy(runs, epochs=EPOCHS)

# %% [markdown]
# <details><summary>What this says, and what it does not</summary>
#
# The lines are means of three starts; the bands go from the worst start to the best.
#
# Batch norm gains one point (90 % against 89 %). Forgetting its updates loses sixteen (74 %). And
# the bug in the listing? As published, the network ends within half a point of the mended one, no
# more than one random start differs from the next. **No accuracy on this page could have found
# it**; counting update operations did, in one line.
#
# After 20 epochs, mean and standard deviation of five starts: mended 91.3 ± 0.8 %, as published
# 90.7 ± 0.6 %, without batch norm 89.9 ± 0.4 %, updates never run 77.3 ± 2.6 %.
#
# </details>

# %% [markdown] slide="slide"
# ## So is the bug harmless?
#
# A layer that stands still divides by $\sqrt{1 + \varepsilon}$: it does not normalize. Nobody
# misses it while the pixels have a good scale and the learning rate is right. So take that away:
#
# - every image 100 times darker, in training and in testing;
# - a learning rate 50 times as large (the loss times 50, which is the same for gradient descent).
#
# **Predict before you run:** which of the three networks still learns, in 3 epochs?


# %% slide="fragment" volatile="last digits differ between processors"
def in_trouble(network, light, speed):
    def in_this_light(x, training):
        return network(light * x, training)

    contestant = start(in_this_light, lambda loss: make_train_op(speed * loss))
    return train(contestant, epochs=FEW)[-1]


for what, light, speed in (("100 times darker", 0.01, 1.0), ("50 times as fast", 1.0, 50.0)):
    print(what)
    for way in ("without batch norm", "as published", "mended"):
        print(f"    {way:20}{100 * in_trouble(ways[way][0], light, speed):.0f} %")

# %% [markdown]
# <details><summary>What the mended network can do</summary>
#
# In the dark: 11 % without batch norm (guessing gives 10 %), 70 % as published, 87 % mended. A
# normalized first layer multiplies by $1 / \sqrt{\sigma^2 + \varepsilon}$, here up to 31.6 where σ²
# is tiny ($\varepsilon$ is 0.001 by default); one that stands still multiplies by 1.
#
# At 50 times the learning rate the network without batch norm blows up: logits in the millions,
# and every digit is read as the same one, 10 %. Here one normalized layer is enough, 92 % in both.
#
# That is what batch norm is for: not a point of accuracy, but a wide range of scales and learning
# rates at which the network learns at all.
#
# </details>

# %% [markdown] slide="slide"
# ## One image at a time
#
# The mended network goes to work. Digits come one at a time, each in a batch of its own, and are
# read once with `training: True`, that is, with the statistics of that batch, and once without.
#
# **Predict before you run:** how many of ten digits, one of each class, are read right with their
# own batch? What will the wrong readings have in common?


# %% role="setup"
def read(net, images, training=False):
    """The digits that a network takes these images for."""
    logits = net.session.run(net.logits, {net.x: images, net.training: training})
    return logits.argmax(axis=1)


one_of_each = np.array([np.flatnonzero(test_labels == digit)[0] for digit in range(10)])
ten_images, ten_labels = test_images[one_of_each], test_labels[one_of_each]

# %% slide="fragment" volatile="last digits differ between processors"
mended, readings = start(build_network, make_train_op), {}
history = train(mended)
for label, training in (("own batch", True), ("moving statistics", False)):
    alone = np.array([read(mended, image[None], training)[0] for image in test_images])
    readings[label] = alone[one_of_each]
    print(f"{label}: {100 * np.mean(alone == test_labels):.0f} % of {len(alone):,} read right")
figures.strip(ten_images, ten_labels, readings)

# %% [markdown]
# <details><summary>Why always the same digit?</summary>
#
# In a batch of one, x − μ is 0 in every unit (lesson 02), and both layers give out β, whatever
# the image. All 1,000 digits are read as the same one, and 10 % of them happen to be it.
# The moving statistics do not care who else is in the batch: 91 %, as for all digits at once.
#
# </details>

# %% [markdown] slide="slide"
# ## How much company does a digit need?
#
# Move the slider: the digits on the left form one batch and are read with its statistics. Watch
# the 0 while others join.


# %% slide="fragment" volatile="last digits differ between processors"
def in_company(count):
    together = read(mended, ten_images[:count], training=True)
    rows = {"own batch": together, "moving statistics": read(mended, ten_images)}
    return figures.strip(ten_images, ten_labels, rows)


explore(in_company, count=slider(2, 1, 10, 1, "digits in the batch"))

# %% [markdown] slide="slide"
# A thousand test digits, 100 of each class, read in batches of different sizes; at the end in
# batches of 100 again, but sorted, so that each batch holds one class only.
#
# **Predict before you run:** in lesson 02 sorting left 18.5 % of 88 %, with random weights in the
# hidden layer. Does a network that was trained through its batch norm stand it better?

# %% slide="fragment" volatile="last digits differ between processors"
by_class = np.concatenate([np.flatnonzero(test_labels == d)[:100] for d in range(10)])
mixed = np.sort(by_class)
for title, order, sizes in (("mixed", mixed, (1, 2, 5, 10, 100)), ("sorted", by_class, (100,))):
    for size in sizes:
        batches = order.reshape(-1, size)
        right = [read(mended, test_images[b], training=True) == test_labels[b] for b in batches]
        print(f"{title}, batches of {size:4}: {100 * np.mean(right):.0f} %")

# %% [markdown]
# <details><summary>What happened to the sorted ones?</summary>
#
# From 91 % to 15 %: training does not help, since what the samples of a batch have in common is
# subtracted whatever the weights are (lesson 02). An evaluation in training mode can look almost
# right on a shuffled test set, and fail on the first user, or on the first folder of files sorted
# by name.
#
# </details>

# %% [markdown] slide="slide"
# ## Now break it: a second tower
#
# A common way to watch validation is to build the network a second time, on the same variables,
# with the validation images as its input.
#
# **Predict before you run:** both towers get `training=True`. How many update operations are there
# now, and what does a step of `make_train_op` need to be fed?

# %% slide="fragment"
with tf.Graph().as_default():
    x = tf.placeholder(tf.float32, (None, 784), name="x")
    x_validation = tf.placeholder(tf.float32, (None, 784), name="x_validation")
    build_network(x, True)
    with tf.variable_scope(tf.get_variable_scope(), reuse=True):
        build_network(x_validation, True)
    updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
    statistics = len(tf.global_variables()) - len(tf.trainable_variables())
    print(len(updates), "update operations for", statistics, "statistics")

# %% [markdown]
# Eight, two for each moving statistic, as in lesson 06. A step that waits for all of them cannot
# run without validation images, and with them it moves the statistics towards data that should not
# be learned from. A tower for evaluation gets `training=False`, and then registers no update at
# all.

# %% [markdown] slide="slide"
# ## Saving all of it
#
# ```python
# saver = tf.train.Saver()          # made when the network is there
# saver.save(session, path)         # writes values; path is the beginning of the files' names
# saver.restore(session, path)      # in another graph, with another Saver: by the variables' names
# ```
#
# A `Saver` takes a list of variables; without one it takes all there are.
#
# **Predict before you run:** the mended network has three kernels, one bias, and two normalized
# layers. How many variables is that, and how many of them are trainable?

# %% slide="fragment"
with mended.graph.as_default():
    print(len(tf.global_variables()), "variables, trainable:", len(tf.trainable_variables()))

# %% [markdown]
# ## Exercise: save and restore
#
# Write two functions and put them into the pair `checkpoint = (save_network, restore_network)`:
#
# - `save_network(session, path)` saves the network of the current graph;
# - `restore_network(session, path)` is called in another graph, in which the network has just been
#   built, and brings back what was saved at `path`.
#
# Afterwards the second network predicts exactly what the first one did. It does not matter whether
# its variables were initialized before.


# %% role="answer" exercise="mnist-restore"
### BEGIN SOLUTION
def save_network(session, path):
    tf.train.Saver().save(session, path)


def restore_network(session, path):
    tf.train.Saver().restore(session, path)


checkpoint = (save_network, restore_network)
### END SOLUTION

# %% role="check" exercise="mnist-restore"
check("mnist-restore")

# %% role="hint" exercise="mnist-restore"
# hint("mnist-restore")  # take the first # away and run: one hint at a time

# %% [markdown]
# Your functions at work: the trained network goes into a file, and from there into a network in
# another graph, which has random weights until then.

# %% volatile="last digits differ between processors"
save, restore = checkpoint
folder = tempfile.TemporaryDirectory()
path = os.path.join(folder.name, "network")
with mended.graph.as_default():
    save(mended.session, path)

fresh = start(build_network, make_train_op, seed=1)
print(f"before: {100 * evaluate(fresh):.0f} %")
with fresh.graph.as_default():
    restore(fresh.session, path)
print(f"after:  {100 * evaluate(fresh):.0f} %")
print("same predictions:", np.array_equal(read(fresh, test_images), read(mended, test_images)))

# %% [markdown] slide="slide"
# ## The checkpoint that forgot
#
# "Only the trained variables need saving; it makes the file smaller."
#
# **Predict before you run:** what happens when a fresh network is restored from such a file, with
# and without an initializer before?

# %% slide="fragment" volatile="last digits differ between processors"
with mended.graph.as_default():
    tf.train.Saver(tf.trainable_variables()).save(mended.session, path)

with fresh.graph.as_default():
    saver = tf.train.Saver(tf.trainable_variables())
    fresh.session.run(tf.global_variables_initializer())
    saver.restore(fresh.session, path)
    print(f"initialized, then restored: {100 * evaluate(fresh):.0f} %")
    fresh.session = tf.Session()
    saver.restore(fresh.session, path)
    try:
        evaluate(fresh)
    except tf.errors.FailedPreconditionError as error:
        print("only restored:", type(error).__name__)

# %% [markdown]
# <details><summary>Which one would you rather have?</summary>
#
# The error. It says at once that a variable has no value. The initializer, put there to silence
# it, sets the moving statistics to 0 and 1, and the restored network reads 73 % of the digits
# where it read 91 %. Those who restore for further training do not notice even that: a hundred
# steps later the statistics are back.
#
# </details>

# %% [markdown]
# ## In the wild
#
# - **`training=` forgotten.** A reader of a text recognizer found that its normalized layers were
#   never told ([Belval/CRNN#67](https://github.com/Belval/CRNN/issues/67)).
# - **Updates lost**, and batch norm blamed for it: the textbook's solution in lesson 06.
# - **Alone and lost.** A classifier with 6 % errors in validation had 50 % when images came one at
#   a time ([vlfeat/matconvnet#506](https://github.com/vlfeat/matconvnet/issues/506)).
# - **The checkpoint that forgot.** A published model held trainable variables only; its users met
#   `FailedPreconditionError` ([tinghuiz/SfMLearner#17](https://github.com/tinghuiz/SfMLearner/issues/17)).
#   The motive, in another project: disk space
#   ([tensorflow/skflow#117](https://github.com/tensorflow/skflow/issues/117)).

# %% [markdown] slide="slide"
# ## Recap
#
# 1. The training loss sees the batch's statistics only. Test in prediction mode, after every epoch.
# 2. Updates that never run: 74 % where 90 % was due, and no error.
# 3. One layer without `training=`: no accuracy shows it. Count update operations, two per layer,
#    and look whether the values move.
# 4. What batch norm gives is room: for the scale of the input, for the learning rate.
# 5. A prediction must not depend on who else is in the batch; a checkpoint needs every variable
#    that a prediction reads.
#
# **To remember: accuracy does not prove that batch norm works; look at the moving statistics.**
#
# Next: lesson 08, where numbers are thrown away on purpose.

# %% [markdown] slide="slide"
# **References.** K. He et al., *Delving Deep into Rectifiers: Surpassing Human-Level Performance on
# ImageNet Classification*, ICCV 2015. S. Ioffe and C. Szegedy, *Batch Normalization: Accelerating
# Deep Network Training by Reducing Internal Covariate Shift*, ICML 2015. Y. LeCun et al.,
# *Gradient-Based Learning Applied to Document Recognition*, Proceedings of the IEEE, 1998 (MNIST).
