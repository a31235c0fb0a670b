"""Known answers to `uo-hide`: wrong ones with their questions, and right ones."""

import numpy as np

from labsupport.authoring.catalogue import mistake, variant

noise = np.random.RandomState(7).randn(64, 3)
standard = (noise - noise.mean(axis=0)) / noise.std(axis=0)
far = 5 * noise + 20

mistake(
    "not-exactly",
    "`x_hides` is drawn from the right distribution, but its own mean and variance differ from it",
    "What are `x_hides.mean(axis=0)` and `x_hides.var(axis=0)`? What should they be?",
    see="own",
)((noise, far))

mistake(
    "only-centred",
    "`x_hides` has mean 0, but its variance is not the one that the layer starts with",
    "A layer that was never updated divides by the root of which variance?",
    see="own",
)((1.5 * (noise - noise.mean(axis=0)), far))

mistake(
    "swapped",
    "The two batches have changed places",
    "On which of the two should the mistake stay hidden?",
    see="own",
)((far, standard))

mistake(
    "both-hide",
    "Both of your batches hide the mistake",
    "Which mean should `x_shows` have, so that a moving mean of 0 is far off?",
    see="own",
)((standard, -standard))

mistake(
    "both-show",
    "Both of your batches show the mistake",
    "With which mean and which variance does a layer predict that was never updated? Has `x_hides` "
    "just these?",
    see="own",
)((3 * standard, far))

mistake(
    "one-feature",
    "In `x_shows` the mistake shows in one feature only",
    "Should one feature of `x_shows` be far from mean 0 and variance 1, or all of them?",
    see="own",
)((standard, standard * [1, 1, 5] + [0, 0, 50]))

# ---------------------------------------------------------------- right, written otherwise

variant("a list of rows, and a large spread")(
    ([[1.0, -1.0], [-1.0, 1.0], [1.0, 1.0], [-1.0, -1.0]], 30 * noise)
)
variant("float32")((standard.astype(np.float32), far.astype(np.float32)))
variant("one array of two batches")(np.stack([standard, far]))
