# %% [markdown] slide="slide"
# # UPDATE_OPS
#
# **What is UPDATE_OPS for?**

# %% [markdown]
# stub

# %% role="setup"
import numpy as np

from labsupport import check, hint
from labsupport.tf1 import tf

# %% role="answer" exercise="uo-train-op"
def make_train_op(loss, optimizer):
    ### BEGIN SOLUTION
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        return optimizer.minimize(loss)
    ### END SOLUTION

# %% role="check" exercise="uo-train-op"
check("uo-train-op")

# %% role="answer" exercise="uo-which"
def updates_of(scope):
    ### BEGIN SOLUTION
    return tf.get_collection(tf.GraphKeys.UPDATE_OPS, scope=scope + "/")
    ### END SOLUTION

# %% role="check" exercise="uo-which"
check("uo-which")

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

# %% role="answer" exercise="uo-hide"
### BEGIN SOLUTION
noise = np.random.RandomState(0).randn(8, 3)
x_hides = (noise - noise.mean(axis=0)) / noise.std(axis=0)
x_shows = 5 * noise + 20
test_batches = (x_hides, x_shows)
### END SOLUTION

# %% role="check" exercise="uo-hide"
check("uo-hide")
