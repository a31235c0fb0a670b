"""Known answers to `bn-channels-last` (NHWC): wrong ones with their questions, and right ones."""

import numpy as np

from labsupport.authoring.catalogue import mistake, variant


def normalize(x, axes, eps, ddof=0):
    mu = x.mean(axis=axes, keepdims=True)
    return (x - mu) / np.sqrt(x.var(axis=axes, keepdims=True, ddof=ddof) + eps)


def channels_first(x, gamma, beta, eps):
    gamma, beta = gamma.reshape(1, -1, 1, 1), beta.reshape(1, -1, 1, 1)
    return gamma * normalize(x, (0, 2, 3), eps) + beta


@mistake(
    "layout",
    "You average over the axes of NCHW; here they leave the height and mix the channels",
    "In (m, p, q, C), which number has the channel axis, and which three do you average over?",
    see="E52",
)
def layout(x, gamma, beta, eps):
    return gamma * normalize(x, (0, 2, 3), eps) + beta


@mistake(
    "width-is-channel",
    "You keep the axis of the width and average over the channels",
    "Count the axes of (m, p, q, C) from 0: which number has the channel?",
    see="E52",
)
def width_is_channel(x, gamma, beta, eps):
    return gamma * normalize(x, (0, 1, 3), eps) + beta


@mistake(
    "pixel-is-feature",
    "Every pixel gets a mean of its own: p·q·C of them, where there should be C",
    "How many numbers should be averaged for one channel: m, or m·p·q?",
    see="E50",
)
def pixel_is_feature(x, gamma, beta, eps):
    return gamma * normalize(x, 0, eps) + beta


@mistake(
    "instance-norm",
    "Every image is normalized by itself: that is instance norm, with m·C means",
    "How many means should there be for a batch of m images with C channels?",
    see="E51",
)
def instance_norm(x, gamma, beta, eps):
    return gamma * normalize(x, (1, 2), eps) + beta


@mistake(
    "layer-norm",
    "You average over everything within each image: that is layer norm, with m means",
    "Which axis must not be averaged over, so that every channel keeps its own mean?",
    see="E51",
)
def layer_norm(x, gamma, beta, eps):
    return gamma * normalize(x, (1, 2, 3), eps) + beta


@mistake(
    "no-axis",
    "You take one mean and one variance of everything, channels included",
    "How many means should there be for C channels?",
    see="A2",
)
def no_axis(x, gamma, beta, eps):
    return gamma * normalize(x, None, eps) + beta


@mistake(
    "channels-only",
    "You average over the channels of each pixel",
    "The last axis is the one that you average away. Which axis should be left?",
    see="E52",
)
def channels_only(x, gamma, beta, eps):
    return gamma * normalize(x, -1, eps) + beta


@mistake(
    "mean-per-channel-and-row",
    "You average over the images and one side of them only",
    "How many numbers should be averaged for one channel?",
    see="tried by a first reader",
)
def mean_per_channel_and_row(x, gamma, beta, eps):
    return gamma * normalize(x, (0, 2), eps) + beta


@mistake(
    "mean-per-channel-and-column",
    "You average over the images and the rows, but every column has means of its own",
    "How many numbers should be averaged for one channel?",
    see="tried by a first reader",
)
def mean_per_channel_and_column(x, gamma, beta, eps):
    return gamma * normalize(x, (0, 1), eps) + beta


@mistake(
    "gamma-beta-swapped",
    "γ and β have changed places",
    "Which of the two multiplies? Look at the order of the arguments.",
    see="A14",
)
def gamma_beta_swapped(x, gamma, beta, eps):
    return beta * normalize(x, (0, 1, 2), eps) + gamma


@mistake(
    "no-beta",
    "β does not reach your result",
    "Which mean should each channel of the output have?",
    see="A15",
)
def no_beta(x, gamma, beta, eps):
    return gamma * normalize(x, (0, 1, 2), eps)


@mistake(
    "reshape-for-transpose",
    "`reshape` does not move the channel axis: it counts the numbers off anew",
    "Which function turns (m, p, q, C) into (m, C, p, q) so that every number keeps its channel?",
    see="E53",
)
def reshape_for_transpose(x, gamma, beta, eps):
    m, p, q, c = x.shape
    return channels_first(x.reshape(m, c, p, q), gamma, beta, eps).reshape(x.shape)


@mistake(
    "not-transposed-back",
    "The result is still in NCHW order; the axes were moved there and not back",
    "In which order should the axes of the result be?",
    see="E53",
)
def not_transposed_back(x, gamma, beta, eps):
    return channels_first(x.transpose(0, 3, 1, 2), gamma, beta, eps)


@mistake(
    "wrong-way-back",
    "The axes are moved back in the wrong order",
    "Where does each axis stand before you move it back, and where should it end?",
    see="E53",
)
def wrong_way_back(x, gamma, beta, eps):
    out = channels_first(x.transpose(0, 3, 1, 2), gamma, beta, eps)
    return out.transpose(0, 3, 2, 1)


@mistake(
    "sample-variance",
    "Your variance divides by m·p·q − 1; batch norm divides by the full count, m·p·q",
    "What does `ddof` change, and what is its value in the definition?",
    see="A3",
)
def sample_variance(x, gamma, beta, eps):
    return gamma * normalize(x, (0, 1, 2), eps, ddof=1) + beta


@mistake(
    "no-root",
    "You divide by the variance, not by its square root",
    "What is the spread of each channel of your output for γ = 1?",
    see="A4",
)
def no_root(x, gamma, beta, eps):
    return gamma * (x - x.mean(axis=(0, 1, 2))) / (x.var(axis=(0, 1, 2)) + eps) + beta


@mistake(
    "eps-outside-root",
    "ε is added to the standard deviation; it belongs under the root, to the variance",
    "With σ² = 0 and ε = 0.0001, what does the definition divide by? And your code?",
    see="A7",
)
def eps_outside_root(x, gamma, beta, eps):
    return gamma * (x - x.mean(axis=(0, 1, 2))) / (x.std(axis=(0, 1, 2)) + eps) + beta


@mistake(
    "no-eps",
    "The argument `eps` does not reach your result",
    "What should change in the result when the caller passes a larger `eps`?",
    see="A8",
)
def no_eps(x, gamma, beta, eps):
    return gamma * normalize(x, (0, 1, 2), 0) + beta


@mistake(
    "not-centred",
    "You scale, but do not subtract the mean",
    "What is the mean of each channel of your output, and what should it be?",
    see="A11",
)
def not_centred(x, gamma, beta, eps):
    return gamma * x / np.sqrt(x.var(axis=(0, 1, 2)) + eps) + beta


@mistake(
    "precedence",
    "Only the mean is divided by the spread; `x` itself is not",
    "Which is done first in `x - a / b`?",
    see="A12",
)
def precedence(x, gamma, beta, eps):
    return gamma * (x - x.mean(axis=(0, 1, 2)) / np.sqrt(x.var(axis=(0, 1, 2)) + eps)) + beta


@mistake(
    "beta-scaled-by-gamma",
    "β is added before the multiplication by γ, so γ scales it too",
    "What should the mean of a channel be: β, or γβ?",
    see="A13",
)
def beta_scaled_by_gamma(x, gamma, beta, eps):
    return gamma * (normalize(x, (0, 1, 2), eps) + beta)


@mistake(
    "no-gamma",
    "γ does not reach your result",
    "Which spread should each channel of the output have?",
    see="A15",
)
def no_gamma(x, gamma, beta, eps):
    return normalize(x, (0, 1, 2), eps) + beta


@mistake(
    "no-affine",
    "The last step is missing: γ and β do not reach your result",
    "Which mean and which spread should each channel of the output have?",
    see="A15",
)
def no_affine(x, gamma, beta, eps):
    return normalize(x, (0, 1, 2), eps)


# ---------------------------------------------------------------- right, written otherwise


@variant("reshaped to a dense layer")
def through_dense(x, gamma, beta, eps):
    rows = x.reshape(-1, x.shape[-1])
    out = gamma * (rows - rows.mean(axis=0)) / np.sqrt(rows.var(axis=0) + eps) + beta
    return out.reshape(x.shape)


@variant("transposed to NCHW and back")
def through_channels_first(x, gamma, beta, eps):
    out = channels_first(x.transpose(0, 3, 1, 2), gamma, beta, eps)
    return out.transpose(0, 2, 3, 1)


@variant("moveaxis")
def with_moveaxis(x, gamma, beta, eps):
    return np.moveaxis(channels_first(np.moveaxis(x, -1, 1), gamma, beta, eps), 1, -1)
