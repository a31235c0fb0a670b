"""Known answers to `bn-spatial`: wrong ones with their questions, and right ones."""

import numpy as np

from labsupport.authoring.catalogue import mistake, variant


def rows_of(x):
    return x.transpose(0, 2, 3, 1).reshape(-1, x.shape[1])


def images_of(rows, x):
    m, c, p, q = x.shape
    return rows.reshape(m, p, q, c).transpose(0, 3, 1, 2)


@mistake(
    "reshape-without-transpose",
    "`reshape(-1, C)` puts numbers of different channels into one column",
    "Write down where the numbers of a (1, 2, 1, 2) array go in `reshape(-1, 2)`. Does each "
    "column hold one channel?",
    see="E53; public answers: reshape without transpose",
)
def reshape_without_transpose(layer, x, training):
    return layer(x.reshape(-1, x.shape[1]), training).reshape(x.shape)


@mistake(
    "not-transposed-back",
    "The layer gets the right columns, but its output is put back in the wrong places",
    "You moved the channel axis to the end before the reshape. Where is it after it?",
    see="E53",
)
def not_transposed_back(layer, x, training):
    return layer(rows_of(x), training).reshape(x.shape)


@mistake(
    "left-channels-last",
    "The output still has its channels last: the transpose is not undone",
    "Which shape should the output have, and which axis must move where?",
    see="E53",
)
def left_channels_last(layer, x, training):
    m, c, p, q = x.shape
    return layer(rows_of(x), training).reshape(m, p, q, c)


@mistake(
    "transposed-twice",
    "You undo `transpose(0, 2, 3, 1)` by the same `transpose(0, 2, 3, 1)`",
    "Three axes went round by one place. By how many places must they go on to be back?",
    see="E53",
)
def transposed_twice(layer, x, training):
    m, c, p, q = x.shape
    return layer(rows_of(x), training).reshape(m, p, q, c).transpose(0, 2, 3, 1)


@mistake(
    "rows-and-columns-swapped",
    "The output comes back with the rows and columns of every image exchanged",
    "Name the four axes after your last reshape. Which order of them is m, C, p, q?",
    see="E53",
)
def rows_and_columns_swapped(layer, x, training):
    m, c, p, q = x.shape
    return layer(rows_of(x), training).reshape(m, p, q, c).transpose(0, 3, 2, 1)


@mistake(
    "channel-rows",
    "The layer gets one row per channel; it normalizes columns",
    "The layer takes (m, D) and has one mean per column. What should D be here?",
    see="E53",
)
def channel_rows(layer, x, training):
    front = x.transpose(1, 0, 2, 3)
    out = layer(front.reshape(x.shape[1], -1), training)
    return out.reshape(front.shape).transpose(1, 0, 2, 3)


@mistake(
    "channel-loop",
    "A loop calls the layer once per channel, with one row per image: every pixel is a feature",
    "How many means does the layer learn in one call, and whose are left after the last channel?",
    see="E55; public answers: a loop per channel that treats each pixel as a feature",
)
def channel_loop(layer, x, training):
    out = np.empty_like(x)
    for c in range(x.shape[1]):
        rows = x[:, c].reshape(len(x), -1)
        out[:, c] = layer(rows, training).reshape(x[:, c].shape)
    return out


@mistake(
    "channel-columns",
    "A loop calls the layer once per channel, with a single column",
    "The layer has C means. To which of them does the one column belong?",
    see="E55",
)
def channel_columns(layer, x, training):
    out = np.empty_like(x)
    for c in range(x.shape[1]):
        out[:, c] = layer(x[:, c].reshape(-1, 1), training).reshape(x[:, c].shape)
    return out


@mistake(
    "image-loop",
    "A loop calls the layer once per image, so every image is normalized by itself",
    "Over which samples should the mean of a channel be taken?",
    see="E51",
)
def image_loop(layer, x, training):
    return np.concatenate([images_of(layer(rows_of(i), training), i) for i in np.split(x, len(x))])


@mistake(
    "pixel-is-feature",
    "Every pixel of every channel is a feature of its own: C·p·q of them, where there should be C",
    "A filter looks for the same thing all over the image. How many means should its output have?",
    see="E50; public answers: (C, H, W) running stats",
)
def pixel_is_feature(layer, x, training):
    return layer(x.reshape(len(x), -1), training).reshape(x.shape)


@mistake(
    "four-axes",
    "The layer gets an array with four axes; it takes (m, D)",
    "Over which axis does the layer average, and how many means does that leave?",
    see="E50",
)
def four_axes(layer, x, training):
    return layer(x, training)


@mistake(
    "four-axes-channels-last",
    "The channels are last, but the other three axes are not flattened into one",
    "The layer averages over axis 0 alone. Which numbers should lie along it?",
    see="E50",
)
def four_axes_channels_last(layer, x, training):
    return layer(x.transpose(0, 2, 3, 1), training).transpose(0, 3, 1, 2)


@mistake(
    "width-is-channel",
    "You flatten as if the channels were last already (NHWC); in NCHW the last axis is the width",
    "Which of the four axes of `x` holds the channels here?",
    see="E52",
)
def width_is_channel(layer, x, training):
    return layer(x.reshape(-1, x.shape[3]), training).reshape(x.shape)


@mistake(
    "averaged-pixels",
    "You average every channel over its pixels before the layer sees it",
    "How many numbers go into your output, and how many should come out?",
    see="E51",
)
def averaged_pixels(layer, x, training):
    return layer(x.mean(axis=(2, 3)), training)[:, :, None, None] + np.zeros_like(x)


@mistake(
    "layer-not-called",
    "`layer` is never called: its γ, its β and its memory have no part in your result",
    "Who is to normalize here, your function or the layer that it is given?",
    see="public answers: inherits a wrong 2-D one",
)
def layer_not_called(layer, x, training):
    mu, var = x.mean(axis=(0, 2, 3), keepdims=True), x.var(axis=(0, 2, 3), keepdims=True)
    return (x - mu) / np.sqrt(var + 1e-5)


@mistake(
    "called-twice",
    "You call the layer twice with the same numbers",
    "What happens to the moving statistics at each call in training?",
    see="F66",
)
def called_twice(layer, x, training):
    layer(rows_of(x), training)
    return images_of(layer(rows_of(x), training), x)


@mistake(
    "flag-not-passed",
    "`training` is not passed on to the layer",
    "How should the layer know whether it may use the statistics of this batch?",
    see="F62; public TensorFlow notebooks: `training=` forgotten",
)
def flag_not_passed(layer, x, training):
    return images_of(layer(rows_of(x)), x)


@mistake(
    "always-training",
    "The layer is always told that this is training",
    "What does your function do differently when `training` is False?",
    see="F62; public TensorFlow notebooks: `training=` constant",
)
def always_training(layer, x, training):
    return images_of(layer(rows_of(x), training=True), x)


@mistake(
    "never-training",
    "The layer is always told that this is prediction",
    "What does your function do differently when `training` is True?",
    see="F62; public TensorFlow notebooks: `training=` constant",
)
def never_training(layer, x, training):
    return images_of(layer(rows_of(x), training=False), x)


@mistake(
    "flag-reversed",
    "The layer is told the opposite of `training`",
    "What reaches the layer when `training` is True?",
    see="F62",
)
def flag_reversed(layer, x, training):
    return images_of(layer(rows_of(x), not training), x)


@mistake(
    "nothing-returned",
    "The output is computed but not returned",
    "What does a Python function return that has no `return`?",
    see="public answers: test branch missing",
)
def nothing_returned(layer, x, training):
    images_of(layer(rows_of(x), training), x)


# ---------------------------------------------------------------- right, written otherwise


@variant("moveaxis, the flag by name")
def by_moveaxis(layer, x, training):
    last = np.moveaxis(x, 1, -1)
    out = layer(last.reshape(-1, x.shape[1]), training=training)
    return np.moveaxis(out.reshape(last.shape), -1, 1)


@variant("rows counted from the channel in front")
def from_channels_in_front(layer, x, training):
    front = x.swapaxes(0, 1)
    out = layer(front.reshape(x.shape[1], -1).T, training)
    return out.T.reshape(front.shape).swapaxes(0, 1)


@variant("rows in the order of the width")
def width_first(layer, x, training):
    m, c, p, q = x.shape
    out = layer(x.transpose(3, 2, 0, 1).reshape(-1, c), training)
    return out.reshape(q, p, m, c).transpose(2, 3, 1, 0)


@variant("columns stacked one by one")
def stacked(layer, x, training):
    columns = np.stack([x[:, c].ravel() for c in range(x.shape[1])], axis=1)
    out = layer(columns, training)
    return np.stack([out[:, c].reshape(x[:, c].shape) for c in range(x.shape[1])], axis=1)


@variant("rollaxis")
def by_rollaxis(layer, x, training):
    last = np.rollaxis(x, 1, 4)
    return np.rollaxis(layer(last.reshape(-1, x.shape[1]), training).reshape(last.shape), 3, 1)


@variant("einsum")
def by_einsum(layer, x, training):
    last = np.einsum("mcpq->mpqc", x)
    out = layer(np.ascontiguousarray(last).reshape(-1, x.shape[1]), training)
    return np.einsum("mpqc->mcpq", out.reshape(last.shape)).copy()


@variant("two branches")
def two_branches(layer, x, training):
    if training:
        return images_of(layer(rows_of(x), training=True), x)
    return images_of(layer(rows_of(x), training=False), x)


@variant("float32")
def in_float32(layer, x, training):
    return images_of(layer(rows_of(x.astype(np.float32)), training), x)
