"""Known answers to `bn-conv` (NCHW): wrong ones with their questions, and right ones."""

import numpy as np

from labsupport.authoring.catalogue import mistake, variant


def normalize(x, axes, eps, ddof=0):
    mu = x.mean(axis=axes, keepdims=True)
    return (x - mu) / np.sqrt(x.var(axis=axes, keepdims=True, ddof=ddof) + eps)


def affine(x_hat, gamma, beta):
    return gamma.reshape(1, -1, 1, 1) * x_hat + beta.reshape(1, -1, 1, 1)


def dense(x, gamma, beta, eps):
    return gamma * (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps) + beta


@mistake(
    "pixel-is-feature",
    "Every pixel gets a mean of its own: C·p·q of them, where there should be C",
    "A filter looks for the same thing all over the image. Should its output be normalized "
    "differently at different places?",
    see="E50; public answers: a loop per channel that treats each pixel as a feature",
)
def axis_0_only(x, gamma, beta, eps):
    return affine(normalize(x, 0, eps), gamma, beta)


@mistake(
    "instance-norm",
    "Every image is normalized by itself: that is instance norm, with m·C means",
    "How many means should there be for a batch of m images with C channels?",
    see="E51",
)
def instance_norm(x, gamma, beta, eps):
    return affine(normalize(x, (2, 3), eps), gamma, beta)


@mistake(
    "layer-norm",
    "You average over everything within each image: that is layer norm, with m means",
    "Which axis must not be averaged over, so that every channel keeps its own mean?",
    see="E51",
)
def layer_norm(x, gamma, beta, eps):
    return affine(normalize(x, (1, 2, 3), eps), gamma, beta)


@mistake(
    "no-axis",
    "You take one mean and one variance of everything, channels included",
    "How many means should there be for C channels?",
    see="A2",
)
def no_axis(x, gamma, beta, eps):
    return affine(normalize(x, None, eps), gamma, beta)


@mistake(
    "layout",
    "You average as if the channels were the last axis (NHWC); in NCHW the last axis is the width",
    "Which of the four axes of `x` holds the channels here?",
    see="E52",
)
def layout(x, gamma, beta, eps):
    return affine(normalize(x, (0, 1, 2), eps), gamma, beta)


@mistake(
    "height-is-channel",
    "You keep the axis of the height and average over the channels",
    "Count the axes of (m, C, p, q) from 0: which number has the channel?",
    see="E52",
)
def height_is_channel(x, gamma, beta, eps):
    return affine(normalize(x, (0, 1, 3), eps), gamma, beta)


@mistake(
    "mean-per-column",
    "Every column of a channel has a mean of its own: C·q of them, where there should be C",
    "Over which axes must you average so that only the channel is left?",
    see="tried by a first reader",
)
def mean_per_column(x, gamma, beta, eps):
    return affine(normalize(x, (0, 2), eps), gamma, beta)


@mistake(
    "mean-per-row",
    "Every row of a channel has a mean of its own: C·p of them, where there should be C",
    "Over which axes must you average so that only the channel is left?",
    see="tried by a first reader",
)
def mean_per_row(x, gamma, beta, eps):
    return affine(normalize(x, (0, 3), eps), gamma, beta)


@mistake(
    "channels-mixed",
    "You average over the images and the channels: every pixel has a mean, and channels share it",
    "Which axis of (m, C, p, q) must not be averaged over?",
    see="tried by a first reader",
)
def channels_mixed(x, gamma, beta, eps):
    return affine(normalize(x, (0, 1), eps), gamma, beta)


@mistake(
    "over-channels",
    "You average over the channels of each pixel",
    "`axis` names the axis that disappears. Which axis should be left?",
    see="tried by a first reader",
)
def over_channels(x, gamma, beta, eps):
    return affine(normalize(x, 1, eps), gamma, beta)


@mistake(
    "no-beta",
    "β does not reach your result",
    "Which mean should each channel of the output have?",
    see="A15",
)
def no_beta(x, gamma, beta, eps):
    return affine(normalize(x, (0, 2, 3), eps), gamma, np.zeros_like(beta))


@mistake(
    "reshape-without-transpose",
    "`reshape(-1, C)` puts numbers of different channels into one column",
    "Write down where the numbers of a (1, 2, 1, 2) array go in `reshape(-1, 2)`. Does each "
    "column hold one channel?",
    see="E53; public answers: reshape without transpose",
)
def reshape_without_transpose(x, gamma, beta, eps):
    return dense(x.reshape(-1, x.shape[1]), gamma, beta, eps).reshape(x.shape)


@mistake(
    "not-transposed-back",
    "The numbers are right, but they are put back in the wrong places",
    "You moved the channel axis to the end before the reshape. Where is it after it?",
    see="E53",
)
def not_transposed_back(x, gamma, beta, eps):
    flat = x.transpose(0, 2, 3, 1).reshape(-1, x.shape[1])
    return dense(flat, gamma, beta, eps).reshape(x.shape)


@mistake(
    "affine-along-width",
    "γ and β run along the width, not along the channels",
    "NumPy lines shapes up from the right. Which axis of `x` meets an array of shape (C,)?",
    see="E54",
)
def affine_along_width(x, gamma, beta, eps):
    return gamma * normalize(x, (0, 2, 3), eps) + beta


@mistake(
    "counted-images-only",
    "Your variance divides by the number of images, m; there are m·p·q numbers per channel",
    "How many numbers go into the mean of one channel?",
    see="D46",
)
def counted_images_only(x, gamma, beta, eps):
    mu = x.mean(axis=(0, 2, 3), keepdims=True)
    var = ((x - mu) ** 2).sum(axis=(0, 2, 3), keepdims=True) / x.shape[0]
    return affine((x - mu) / np.sqrt(var + eps), gamma, beta)


@mistake(
    "mean-per-pixel",
    "The variance is one per channel, but the mean is one per pixel",
    "Over which axes do you take the mean, and over which the variance?",
    see="E50",
)
def mean_per_pixel(x, gamma, beta, eps):
    var = x.var(axis=(0, 2, 3), keepdims=True)
    return affine((x - x.mean(axis=0, keepdims=True)) / np.sqrt(var + eps), gamma, beta)


@mistake(
    "sample-variance",
    "Your variance divides by m·p·q − 1; batch norm divides by the full count, m·p·q",
    "What does `ddof` change, and what is its value in the definition?",
    see="A3",
)
def sample_variance(x, gamma, beta, eps):
    return affine(normalize(x, (0, 2, 3), eps, ddof=1), gamma, beta)


@mistake(
    "no-root",
    "You divide by the variance, not by its square root",
    "What is the spread of each channel of your output for γ = 1?",
    see="A4",
)
def no_root(x, gamma, beta, eps):
    mu, var = x.mean(axis=(0, 2, 3), keepdims=True), x.var(axis=(0, 2, 3), keepdims=True)
    return affine((x - mu) / (var + eps), gamma, beta)


@mistake(
    "std-for-sqrt",
    "You take the standard deviation of the variances, where their root is meant",
    "`np.std` and `np.sqrt` look alike. Which one turns σ² into σ?",
    see="A6",
)
def std_for_sqrt(x, gamma, beta, eps):
    mu, var = x.mean(axis=(0, 2, 3), keepdims=True), x.var(axis=(0, 2, 3), keepdims=True)
    return affine((x - mu) / np.std(var + eps), gamma, beta)


@mistake(
    "eps-outside-root",
    "ε is added to the standard deviation; it belongs under the root, to the variance",
    "With σ² = 0 and ε = 0.0001, what does the definition divide by? And your code?",
    see="A7",
)
def eps_outside_root(x, gamma, beta, eps):
    mu, var = x.mean(axis=(0, 2, 3), keepdims=True), x.var(axis=(0, 2, 3), keepdims=True)
    return affine((x - mu) / (np.sqrt(var) + eps), gamma, beta)


@mistake(
    "no-eps",
    "The argument `eps` does not reach your result",
    "What should change in the result when the caller passes a larger `eps`?",
    see="A8",
)
def no_eps(x, gamma, beta, eps):
    return affine(normalize(x, (0, 2, 3), 0), gamma, beta)


@mistake(
    "uncentred-variance",
    "Your variance is the mean of the squares, without subtracting the mean first",
    "How large is your variance for a channel that is 100 everywhere?",
    see="A9",
)
def uncentred_variance(x, gamma, beta, eps):
    mu = x.mean(axis=(0, 2, 3), keepdims=True)
    return affine((x - mu) / np.sqrt((x**2).mean((0, 2, 3), keepdims=True) + eps), gamma, beta)


@mistake(
    "not-centred",
    "You scale, but do not subtract the mean",
    "What is the mean of each channel of your output, and what should it be?",
    see="A11",
)
def not_centred(x, gamma, beta, eps):
    return affine(x / np.sqrt(x.var(axis=(0, 2, 3), keepdims=True) + eps), gamma, beta)


@mistake(
    "beta-scaled-by-gamma",
    "β is added before the multiplication by γ, so γ scales it too",
    "What should the mean of a channel be: β, or γβ?",
    see="A13",
)
def beta_scaled_by_gamma(x, gamma, beta, eps):
    return gamma[:, None, None] * (normalize(x, (0, 2, 3), eps) + beta[:, None, None])


@mistake(
    "gamma-beta-swapped",
    "γ and β have changed places",
    "Which of the two multiplies? Look at the order of the arguments.",
    see="A14",
)
def gamma_beta_swapped(x, gamma, beta, eps):
    return affine(normalize(x, (0, 2, 3), eps), beta, gamma)


@mistake(
    "no-affine",
    "The last step is missing: γ and β do not reach your result",
    "Which mean and which spread should each channel of the output have?",
    see="A15",
)
def no_affine(x, gamma, beta, eps):
    return normalize(x, (0, 2, 3), eps)


# ---------------------------------------------------------------- right, written otherwise


@variant("transposed to a dense layer and back")
def through_dense(x, gamma, beta, eps):
    m, c, p, q = x.shape
    flat = x.transpose(0, 2, 3, 1).reshape(-1, c)
    return dense(flat, gamma, beta, eps).reshape(m, p, q, c).transpose(0, 3, 1, 2)


@variant("channels in front")
def channels_in_front(x, gamma, beta, eps):
    front = x.swapaxes(0, 1)
    flat = front.reshape(x.shape[1], -1)
    out = dense(flat.T, gamma, beta, eps).T
    return out.reshape(front.shape).swapaxes(0, 1)


@variant("a loop over channels")
def channel_loop(x, gamma, beta, eps):
    out = np.empty_like(x)
    for c in range(x.shape[1]):
        out[:, c] = gamma[c] * (x[:, c] - x[:, c].mean()) / np.sqrt(x[:, c].var() + eps) + beta[c]
    return out


@variant("sums over m·p·q")
def with_sums(x, gamma, beta, eps):
    m, c, p, q = x.shape
    mu = x.sum(axis=(0, 2, 3)).reshape(1, c, 1, 1) / (m * p * q)
    var = ((x - mu) ** 2).sum(axis=(0, 2, 3)).reshape(1, c, 1, 1) / (m * p * q)
    return affine((x - mu) / np.sqrt(var + eps), gamma, beta)


@variant("mean of means")
def mean_of_means(x, gamma, beta, eps):
    mu = x.mean(axis=3, keepdims=True).mean(axis=2, keepdims=True).mean(axis=0, keepdims=True)
    squares = ((x - mu) ** 2).mean(axis=3, keepdims=True).mean(axis=2, keepdims=True)
    return affine((x - mu) / np.sqrt(squares.mean(axis=0, keepdims=True) + eps), gamma, beta)


@variant("float32")
def in_float32(x, gamma, beta, eps):
    x = x.astype("float32")
    return affine(normalize(x, (0, 2, 3), np.float32(eps)), gamma, beta).astype("float32")
