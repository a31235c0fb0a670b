"""Known answers to `do-noise-shape`: wrong ones with their questions, and right ones."""

import numpy as np

from labsupport.authoring.catalogue import mistake, variant


def uniform(*shape):
    return np.random.random_sample(shape)


def divide(y, by):
    return y / by if by else np.zeros_like(y)


def dropped(x, drop_prob, draws):
    """Right but for the shape of the draws."""
    return divide(x * (draws >= drop_prob), 1 - drop_prob)


def per_channel(x):
    return uniform(len(x), 1, 1, x.shape[3])


@mistake(
    "every-pixel",
    "This is ordinary dropout: every pixel has its own draw",
    "How many draws should there be for m images of C channels? How many do you make?",
    see="H79",
)
def every_pixel(x, drop_prob):
    return dropped(x, drop_prob, uniform(*x.shape))


@mistake(
    "whole-images",
    "Whole images are dropped: all channels of an image share a draw",
    "Should the channels of one image live and die together?",
    see="H79",
)
def whole_images(x, drop_prob):
    return dropped(x, drop_prob, uniform(len(x), 1, 1, 1))


@mistake(
    "same-for-all-images",
    "All images lose the same channels",
    "Should image 0 and image 1 share their draws? What does a leading 1 in the shape say?",
    see="H79",
)
def same_for_all_images(x, drop_prob):
    return dropped(x, drop_prob, uniform(1, 1, 1, x.shape[3]))


@mistake(
    "channels-first",
    "You drop rows of pixels: your mask is made for channels first, and these come last",
    "Which axis of x holds the channel here?",
    see="H79; pytorch/pytorch#69801",
)
def channels_first(x, drop_prob):
    return dropped(x, drop_prob, uniform(x.shape[0], x.shape[1], 1, 1))


@mistake(
    "pixels-through-all-channels",
    "You drop pixels, through all channels; it should be channels, over all pixels",
    "Which axes of your mask have length 1, and which should?",
    see="H79",
)
def pixels_through_all_channels(x, drop_prob):
    return dropped(x, drop_prob, uniform(*x.shape[:3], 1))


@mistake(
    "columns-of-pixels",
    "The draws are shared down the rows only, not across the columns",
    "Which two axes are the pixels of a channel?",
    see="H79",
)
def columns_of_pixels(x, drop_prob):
    return dropped(x, drop_prob, uniform(len(x), 1, *x.shape[2:]))


@mistake(
    "one-draw",
    "One draw decides for the whole batch",
    "How many numbers does your call to the random generator return?",
    see="H79",
)
def one_draw(x, drop_prob):
    return dropped(x, drop_prob, np.random.rand())


@mistake(
    "no-scale",
    "You drop channels, but do not make up for it",
    "What is the mean of `spatial_dropout(np.ones((100, 2, 2, 50)), 0.2)`?",
    see="H72; public answers: no scaling",
)
def no_scale(x, drop_prob):
    return x * (per_channel(x) >= drop_prob)


@mistake(
    "divides-by-drop",
    "You divide the survivors by drop_prob, the share that is thrown away",
    "With drop_prob 0.2, four of five survive. By which factor must they grow to make up for one?",
    see="H73",
)
def divides_by_drop(x, drop_prob):
    return divide(x * (per_channel(x) >= drop_prob), drop_prob)


@mistake(
    "swapped",
    "Keep and drop have changed places: you drop the share 1 − drop_prob",
    "With drop_prob 0.2, how many of 1,000 channels should be 0? How many are?",
    see="H74",
)
def swapped(x, drop_prob):
    return divide(x * (per_channel(x) < drop_prob), drop_prob)


@mistake(
    "swapped-mask",
    "You drop the share 1 − drop_prob, but scale as if you had dropped drop_prob",
    "For which channels is your comparison True, and are those kept or dropped?",
    see="H74",
)
def swapped_mask(x, drop_prob):
    return divide(x * (per_channel(x) < drop_prob), 1 - drop_prob)


@mistake(
    "scaled-by-what-survived",
    "You divide by the share that happened to survive, which changes from call to call",
    "E[y] = x for every single number. Is your factor independent of the other draws?",
    see="singles among the public answers",
)
def scaled_by_what_survived(x, drop_prob):
    kept = per_channel(x) >= drop_prob
    return divide(x * kept, kept.mean())


@mistake(
    "fixed-seed",
    "Every call draws the same mask, because the seed is set inside",
    "Call your function twice on the same x. Which line makes the results equal?",
    see="H83",
)
def fixed_seed(x, drop_prob):
    draws = np.random.RandomState(0).random_sample((len(x), 1, 1, x.shape[3]))
    return dropped(x, drop_prob, draws)


@mistake(
    "nan-at-one",
    "With drop_prob 1 you divide by zero, and the result is NaN",
    "What should be left when everything is dropped? Can you return it before you divide?",
    see="google/flax#2055",
)
def nan_at_one(x, drop_prob):
    return x * (per_channel(x) >= drop_prob) / np.float64(1 - drop_prob)


@mistake(
    "raises-at-one",
    "With drop_prob 1 you divide by zero",
    "What should be left when everything is dropped? Can you return it before you divide?",
    see="elixir-nx/axon#367",
)
def raises_at_one(x, drop_prob):
    return x * (per_channel(x) >= drop_prob) * (1 / (1 - drop_prob))


@mistake(
    "in-place",
    "Your code drops channels in x itself",
    "Does `x[...] = 0` or `x *= mask` make a new array?",
    see="B15",
)
def in_place(x, drop_prob):
    x *= per_channel(x) >= drop_prob
    return divide(x, 1 - drop_prob)


# ---------------------------------------------------------------- right, written otherwise


@variant("a loop over images and channels")
def with_loops(x, drop_prob):
    y = np.zeros_like(x)
    for i in range(x.shape[0]):
        for c in range(x.shape[3]):
            if np.random.rand() >= drop_prob:
                y[i, :, :, c] = x[i, :, :, c] / (1 - drop_prob)
    return y


@variant("draws of shape (m, C), then new axes")
def with_new_axes(x, drop_prob):
    kept = np.random.binomial(1, 1 - drop_prob, (x.shape[0], x.shape[-1]))
    scaled = kept / (1 - drop_prob) if drop_prob < 1 else kept * 0.0
    return x * scaled[:, None, None, :]


@variant("transposed to channels first and back")
def with_transpose(x, drop_prob):
    nchw = x.transpose(0, 3, 1, 2)
    kept = np.random.default_rng().random((*nchw.shape[:2], 1, 1)) > drop_prob
    return divide(nchw * kept, 1 - drop_prob).transpose(0, 2, 3, 1)


@variant("float32, np.where")
def in_float32(x, drop_prob):
    kept = per_channel(x) > drop_prob
    return np.where(kept, x.astype(np.float32) / max(np.float32(1 - drop_prob), 1e-9), 0)
