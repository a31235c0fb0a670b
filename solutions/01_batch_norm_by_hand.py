# %% [markdown]
# # Batch norm by hand
# %% role="setup"
import numpy as np
from labsupport import check, hint


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


# %% role="answer" exercise="bn-channels-last"
def batch_norm_channels_last(x, gamma, beta, eps):
    ### BEGIN SOLUTION
    mu = x.mean(axis=(0, 1, 2))
    var = ((x - mu) ** 2).mean(axis=(0, 1, 2))
    return gamma * (x - mu) / np.sqrt(var + eps) + beta
    ### END SOLUTION


# %% role="check" exercise="bn-channels-last"
check("bn-channels-last")
# %% role="answer" exercise="bn-hide"
### BEGIN SOLUTION
x = np.random.RandomState(0).randn(8, 3)
x_hides = x - x.mean(axis=0)
x_shows = x + 50
test_batches = (x_hides, x_shows)
### END SOLUTION
# %% role="check" exercise="bn-hide"
check("bn-hide")
