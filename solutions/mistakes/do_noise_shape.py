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
    "rows-of-pixels",
    "The draws are shared along each row of pixels only, not down the columns",
    "Which two axes are the pixels of a channel?",
    see="H79",
)
def rows_of_pixels(x, drop_prob):
    return dropped(x, drop_prob, uniform(*x.shape[:2], 1, x.shape[3]))


@mistake(
    "every-pixel-same-for-all-images",
    "Every pixel has its own draw, and all images share it",
    "Which axes of x may share a draw? Is the axis of images among them?",
    see="H79",
)
def every_pixel_same_for_all_images(x, drop_prob):
    return dropped(x, drop_prob, uniform(*x.shape[1:]))


@mistake(
    "exact-count",
    "You drop the same number of channels in every image, so the draws are not independent",
    "If all channels but one are decided, is the last one still open in your version?",
    see="singles among the public answers",
)
def exact_count(x, drop_prob):
    kept = np.ones((len(x), 1, 1, x.shape[3]))
    for row in kept[:, 0, 0]:
        row[np.random.permutation(len(row))[: round(drop_prob * len(row))]] = 0
    return divide(x * kept, 1 - drop_prob)


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
    "divides-by-drop-and-0",
    "You divide the survivors by drop_prob, the share that is thrown away",
    "With drop_prob 0.2, four of five survive. By which factor must they grow to make up for one?",
    see="H73",
)
def divides_by_drop_and_0(x, drop_prob):
    return x * (per_channel(x) >= drop_prob) / np.float64(drop_prob)


@mistake(
    "multiplies-by-keep",
    "You multiply the survivors by 1 − drop_prob, so the mean shrinks twice",
    "Must the survivors grow or shrink to make up for those who are gone?",
    see="public answers: no scaling",
)
def multiplies_by_keep(x, drop_prob):
    return x * (per_channel(x) >= drop_prob) * (1 - drop_prob)


@mistake(
    "odds",
    "You multiply the survivors by drop_prob / (1 − drop_prob): dropped channels per survivor",
    "That is by how much a survivor must grow. Grow from what?",
    see="H73",
)
def odds(x, drop_prob):
    return dropped(x, drop_prob, per_channel(x)) * drop_prob


@mistake(
    "swapped",
    "Keep and drop have changed places: you drop the share 1 − drop_prob",
    "With drop_prob 0.2, how many of 1,000 channels should be 0? How many are?",
    see="H74",
)
def swapped(x, drop_prob):
    return divide(x * (per_channel(x) < drop_prob), drop_prob)


@mistake(
    "swapped-and-0",
    "Keep and drop have changed places: you drop the share 1 − drop_prob",
    "With drop_prob 0.2, how many of 1,000 channels should be 0? How many are?",
    see="H74",
)
def swapped_and_0(x, drop_prob):
    return x * (per_channel(x) < drop_prob) / np.float64(drop_prob)


@mistake(
    "swapped-and-0-but-at-1",
    "Keep and drop have changed places: you drop the share 1 − drop_prob",
    "With drop_prob 0.2, how many of 1,000 channels should be 0? How many are?",
    see="H74",
)
def swapped_and_0_but_at_1(x, drop_prob):
    return swapped_and_0(x, drop_prob) if drop_prob < 1 else np.zeros_like(x)


@mistake(
    "swapped-unscaled",
    "You drop the share 1 − drop_prob of the channels, and do not scale what is left",
    "With drop_prob 0.2, how many of 1,000 channels should be 0? And what should the mean be?",
    see="H74",
)
def swapped_unscaled(x, drop_prob):
    return x * (per_channel(x) < drop_prob)


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
    "Every call draws the same mask: the generator starts anew each time",
    "Call your function twice on the same x. Which line makes the results equal?",
    see="H83",
)
def fixed_seed(x, drop_prob):
    draws = np.random.RandomState(0).random_sample((len(x), 1, 1, x.shape[3]))
    return dropped(x, drop_prob, draws)


_kept = {}


@mistake(
    "drawn-once",
    "The mask is made once and used again: every call drops the same channels",
    "When does your code draw: in every call? Call it twice on the same x.",
    see="H83",
)
def drawn_once(x, drop_prob):
    draws = _kept.setdefault((x.shape, drop_prob), per_channel(x))
    return dropped(x, drop_prob, draws)


@mistake(
    "nothing-dropped-at-1",
    "With drop_prob 1 you drop nothing",
    "With drop_prob 0.999, how much is left? And with 1?",
    see="own",
)
def nothing_dropped_at_1(x, drop_prob):
    return dropped(x, drop_prob, per_channel(x)) if drop_prob < 1 else x


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
