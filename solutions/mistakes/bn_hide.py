"""Known answers to `bn-hide`: wrong ones with their questions, and right ones."""

import numpy as np

from labsupport.authoring.catalogue import mistake, variant


def noise(seed=0):
    return np.random.RandomState(seed).randn(8, 3)


x = noise()
centred = x - x.mean(axis=0)

mistake(
    "passes-too",
    "The impostor passes on `x_shows`",
    "Multiplying a batch by 100 multiplies its variance by 100². What else can you change in it?",
    see="tried by a first reader",
)((centred, 100 * centred))

mistake(
    "caught-too",
    "The impostor is caught on `x_hides`",
    "For which mean of the data is the impostor's variance right?",
    see="tried by a first reader",
)((x + 30, x + 50))

mistake(
    "swapped",
    "The two batches have changed places",
    "Which batch should the impostor pass on, and which comes first in the pair?",
    see="A9",
)((x + 50, centred))

mistake(
    "constant",
    "A feature that hardly varies proves nothing about a variance",
    "What is the variance of your feature, and what would the right function divide by?",
    see="A9",
)((np.zeros((8, 3)), x + 50))

ramp = np.arange(8.0)[:, None] * np.ones((1, 2))
variant("one ramp, moved")((ramp - ramp.mean(axis=0), ramp + 10))
variant("a list of two lists")([(centred * 7).tolist(), (centred + 3).tolist()])
variant("plus and minus")((np.array([[1.0, 2], [-1, -2], [1, 2], [-1, -2]]), x - 40))
variant("one array of both")(np.stack([centred, x + 9]))
