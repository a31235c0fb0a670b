# %% [markdown]
# # Start here
# %% role="setup"
import numpy as np
from labsupport import check, hint


# %% role="answer" exercise="standardize"
def standardize(x):
    ### BEGIN SOLUTION
    return (x - x.mean()) / x.std()
    ### END SOLUTION


# %% role="check" exercise="standardize"
check("standardize")
