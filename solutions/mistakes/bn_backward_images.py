"""Known answers to `bn-backward-images`: wrong ones with their questions, and right ones.

`see` names the place where the mistake is known from: a letter and number of the course's list
of mistakes, or the public answers that were read for it.
"""

import numpy as np

from labsupport.authoring.catalogue import mistake, variant

PER_CHANNEL = (0, 2, 3)


def back(dy, x, gamma, eps, *, over=PER_CHANNEL, count=None, mu=1.0, var=1.0, outside=0.0, ddof=0):
    """The three gradients, with the paths through μ and σ² weighted.

    over: the axes that share a μ; count: by what sums are divided on the way back; outside: what
    is added to the root.
    """
    up = dict(axis=over, keepdims=True)
    centred, s = x - x.mean(**up), np.sqrt(x.var(**up, ddof=ddof) + eps) + outside
    x_hat, dx_hat = centred / s, gamma[:, None, None] * dy
    n = x.size / s.size if count is None else count
    dx = dx_hat - mu * dx_hat.sum(**up) / n - var * x_hat * (dx_hat * x_hat).sum(**up) / n
    return dx / s, (dy * x_hat).sum(axis=PER_CHANNEL), dy.sum(axis=PER_CHANNEL)


def normal(x, eps):
    """x̂ of images, channel by channel."""
    up = dict(axis=PER_CHANNEL, keepdims=True)
    return (x - x.mean(**up)) / np.sqrt(x.var(**up) + eps)


def rows_back(dy, x, gamma, eps):
    """The three gradients of rows (n, C)."""
    s = np.sqrt(x.var(axis=0) + eps)
    x_hat, g = (x - x.mean(axis=0)) / s, gamma * dy
    dx = (g - g.mean(axis=0) - x_hat * (g * x_hat).mean(axis=0)) / s
    return dx, (dy * x_hat).sum(axis=0), dy.sum(axis=0)


def rows(a):
    return a.transpose(0, 2, 3, 1).reshape(-1, a.shape[1])


def images(a, shape):
    m, c, p, q = shape
    return a.reshape(m, p, q, c).transpose(0, 3, 1, 2)


# ---------------------------------------------------------------- how many numbers


@mistake(
    "count-of-images",
    "You divide by the number of images; each mean is over more numbers than that",
    "How many numbers of `x` go into the μ of one channel?",
    see="D46",
)
def count_of_images(dy, x, gamma, eps):
    return back(dy, x, gamma, eps, count=x.shape[0])


@mistake(
    "count-of-pixels",
    "You divide by the number of pixels of one image",
    "How many numbers of `x` go into the μ of one channel?",
    see="D46",
)
def count_of_pixels(dy, x, gamma, eps):
    return back(dy, x, gamma, eps, count=x.shape[2] * x.shape[3])


@mistake(
    "count-of-channels",
    "You divide by the number of channels",
    "How many numbers of `x` go into the μ of one channel?",
    see="D46",
)
def count_of_channels(dy, x, gamma, eps):
    return back(dy, x, gamma, eps, count=x.shape[1])


@mistake(
    "count-of-numbers",
    "You divide by `x.size`, as if all channels had one μ",
    "How many numbers of `x` go into the μ of one channel?",
    see="D46",
)
def count_of_numbers(dy, x, gamma, eps):
    return back(dy, x, gamma, eps, count=x.size)


@mistake(
    "count-lost",
    "You take sums where the line has means",
    "What becomes of the sum of your dx over a channel when there are more images?",
    see="D43",
)
def count_lost(dy, x, gamma, eps):
    return back(dy, x, gamma, eps, count=1)


# ---------------------------------------------------------------- over which axes


@mistake(
    "image-by-image",
    "Your means run over the pixels of each image by itself",
    "How many μ has a batch of 100 images with 3 channels?",
    see="E51",
)
def image_by_image(dy, x, gamma, eps):
    return back(dy, x, gamma, eps, over=(2, 3))


@mistake(
    "pixel-by-pixel",
    "Your means run over the images only, so that every pixel has a μ of its own",
    "How many μ has a batch of 100 images with 3 channels?",
    see="E50; public answers: a loop per channel that treats each pixel as a feature",
)
def pixel_by_pixel(dy, x, gamma, eps):
    return back(dy, x, gamma, eps, over=0)


@mistake(
    "one-for-all-channels",
    "Your means have no `axis`: they mix the channels",
    "How many μ has a batch of 100 images with 3 channels?",
    see="public answers: missing reduction axis",
)
def one_for_all_channels(dy, x, gamma, eps):
    return back(dy, x, gamma, eps, over=(0, 1, 2, 3))


@mistake(
    "rows-are-channels",
    "Your means run over axes 0, 1 and 3, which leaves one for every row of pixels",
    "Which of the four axes of `x` holds the channels here?",
    see="E52",
)
def rows_are_channels(dy, x, gamma, eps):
    return back(dy, x, gamma, eps, over=(0, 1, 3))


@mistake(
    "columns-are-channels",
    "Your means run over axes 0, 1 and 2, as if the channels came last (NHWC)",
    "Which of the four axes of `x` holds the channels here?",
    see="E52",
)
def columns_are_channels(dy, x, gamma, eps):
    return back(dy, x, gamma, eps, over=(0, 1, 2))


@mistake(
    "gamma-along-the-columns",
    "γ meets the last axis of `dy`, the columns of pixels, and not the channels",
    "Broadcasting lines shapes up from the right: which axis of (m, C, p, q) does (C,) meet?",
    see="E54",
)
def gamma_along_the_columns(dy, x, gamma, eps):
    _, dgamma, dbeta = back(dy, x, gamma, eps)
    return back(gamma * dy, x, np.ones_like(gamma), eps)[0], dgamma, dbeta


@mistake(
    "no-keepdims",
    "The means have shape (C,) and meet the last axis of `x`, the columns of pixels",
    "Broadcasting lines shapes up from the right: which axis of (m, C, p, q) does (C,) meet?",
    see="E54",
)
def no_keepdims(dy, x, gamma, eps):
    s = np.sqrt(x.var(axis=PER_CHANNEL) + eps)
    x_hat, g = (x - x.mean(axis=PER_CHANNEL)) / s, gamma * dy
    mean, along = g.mean(axis=PER_CHANNEL), (g * x_hat).mean(axis=PER_CHANNEL)
    dx = (g - mean - x_hat * along) / s
    return dx, (dy * x_hat).sum(axis=PER_CHANNEL), dy.sum(axis=PER_CHANNEL)


@mistake(
    "four-axes",
    "`batch_norm_backward` takes rows (m, D) and averages over axis 0; it gets four axes",
    "Which numbers should lie along axis 0, so that their mean is the μ of a channel?",
    see="E50",
)
def four_axes(dy, x, gamma, eps):
    return rows_back(dy, x, gamma, eps)


# ---------------------------------------------------------------- rows and back


@mistake(
    "reshape-without-transpose",
    "`reshape(-1, C)` puts numbers of different channels into one column",
    "Write down where the numbers of a (1, 2, 1, 2) array go in `reshape(-1, 2)`. Does each "
    "column hold one channel?",
    see="E53",
)
def reshape_without_transpose(dy, x, gamma, eps):
    c = x.shape[1]
    dx, dgamma, dbeta = rows_back(dy.reshape(-1, c), x.reshape(-1, c), gamma, eps)
    return dx.reshape(x.shape), dgamma, dbeta


@mistake(
    "dy-not-transposed",
    "`x` goes into rows by a transpose and a reshape, `dy` by a reshape alone",
    "In which row and column is the dy of a given pixel, and in which is its x?",
    see="E53",
)
def dy_not_transposed(dy, x, gamma, eps):
    dx, dgamma, dbeta = rows_back(dy.reshape(-1, x.shape[1]), rows(x), gamma, eps)
    return images(dx, x.shape), dgamma, dbeta


@mistake(
    "not-transposed-back",
    "dγ and dβ are right, but dx is put back in the wrong places",
    "You moved the channel axis to the end before the reshape. Where is it after it?",
    see="E53",
)
def not_transposed_back(dy, x, gamma, eps):
    dx, dgamma, dbeta = rows_back(rows(dy), rows(x), gamma, eps)
    return dx.reshape(x.shape), dgamma, dbeta


@mistake(
    "left-in-rows",
    "dx is left in rows of channels; x has four axes",
    "What shape must the gradient of x have?",
    see="E53",
)
def left_in_rows(dy, x, gamma, eps):
    return rows_back(rows(dy), rows(x), gamma, eps)


# ---------------------------------------------------------------- dγ and dβ


@mistake(
    "dgamma-over-images",
    "Your dγ is summed over the images and not over the pixels",
    "Which numbers of y does the γ of one channel reach?",
    see="D48",
)
def dgamma_over_images(dy, x, gamma, eps):
    dx, _, dbeta = back(dy, x, gamma, eps)
    return dx, (dy * normal(x, eps)).sum(axis=0), dbeta


@mistake(
    "dbeta-over-images",
    "Your dβ is summed over the images and not over the pixels",
    "Which numbers of y does the β of one channel reach?",
    see="D48",
)
def dbeta_over_images(dy, x, gamma, eps):
    dx, dgamma, _ = back(dy, x, gamma, eps)
    return dx, dgamma, dy.sum(axis=0)


@mistake(
    "dgamma-over-pixels",
    "Your dγ is summed over the pixels and not over the images",
    "Which numbers of y does the γ of one channel reach?",
    see="D48",
)
def dgamma_over_pixels(dy, x, gamma, eps):
    dx, _, dbeta = back(dy, x, gamma, eps)
    return dx, (dy * normal(x, eps)).sum(axis=(2, 3)), dbeta


@mistake(
    "dbeta-over-pixels",
    "Your dβ is summed over the pixels and not over the images",
    "Which numbers of y does the β of one channel reach?",
    see="D48",
)
def dbeta_over_pixels(dy, x, gamma, eps):
    dx, dgamma, _ = back(dy, x, gamma, eps)
    return dx, dgamma, dy.sum(axis=(2, 3))


@mistake(
    "dgamma-by-mean",
    "Your dγ is a mean; what was shared is summed on the way back",
    "If every image is in the batch twice, what should become of dγ?",
    see="D48",
)
def dgamma_by_mean(dy, x, gamma, eps):
    dx, dgamma, dbeta = back(dy, x, gamma, eps)
    return dx, dgamma / (x.size / x.shape[1]), dbeta


@mistake(
    "dbeta-by-mean",
    "Your dβ is a mean; what was shared is summed on the way back",
    "If every image is in the batch twice, what should become of dβ?",
    see="D48",
)
def dbeta_by_mean(dy, x, gamma, eps):
    dx, dgamma, dbeta = back(dy, x, gamma, eps)
    return dx, dgamma, dbeta / (x.size / x.shape[1])


@mistake(
    "dgamma-from-x",
    "Your dγ is made with x; γ multiplies x̂",
    "y = γ x̂ + β. What is the derivative of y with respect to γ?",
    see="D47",
)
def dgamma_from_x(dy, x, gamma, eps):
    dx, _, dbeta = back(dy, x, gamma, eps)
    return dx, (dy * x).sum(axis=PER_CHANNEL), dbeta


@mistake(
    "summed-over-images",
    "Your dγ and dβ are summed over the images and not over the pixels",
    "Which numbers of y does the γ of one channel reach?",
    see="D48",
)
def summed_over_images(dy, x, gamma, eps):
    return back(dy, x, gamma, eps)[0], (dy * normal(x, eps)).sum(axis=0), dy.sum(axis=0)


@mistake(
    "summed-over-pixels",
    "Your dγ and dβ are summed over the pixels and not over the images",
    "Which numbers of y does the γ of one channel reach?",
    see="D48",
)
def summed_over_pixels(dy, x, gamma, eps):
    dgamma = (dy * normal(x, eps)).sum(axis=(2, 3))
    return back(dy, x, gamma, eps)[0], dgamma, dy.sum(axis=(2, 3))


@mistake(
    "sums-by-mean",
    "Your dγ and dβ are means; what was shared is summed on the way back",
    "If every image is in the batch twice, what should become of dβ?",
    see="D48",
)
def sums_by_mean(dy, x, gamma, eps):
    dx, dgamma, dbeta = back(dy, x, gamma, eps)
    n = x.size / x.shape[1]
    return dx, dgamma / n, dbeta / n


@mistake(
    "order",
    "dγ and dβ have changed places",
    "In which order does the text want the three results?",
    see="D47",
)
def order(dy, x, gamma, eps):
    dx, dgamma, dbeta = back(dy, x, gamma, eps)
    return dx, dbeta, dgamma


# ---------------------------------------------------------------- as in bn-backward


@mistake(
    "both-missing",
    "You treat μ and σ² as constants: only the direct path is left",
    "When one pixel grows, what do the μ and the σ² of its channel do?",
    see="D37",
)
def both_missing(dy, x, gamma, eps):
    return back(dy, x, gamma, eps, mu=0, var=0)


@mistake(
    "mu-missing",
    "The path through μ is missing",
    "What is the sum of your dx over a channel? What does that sum say?",
    see="D38",
)
def mu_missing(dy, x, gamma, eps):
    return back(dy, x, gamma, eps, mu=0)


@mistake(
    "var-missing",
    "The path through σ² is missing",
    "What is the sum of your dx times x̂ over a channel? What does that sum say?",
    see="D39",
)
def var_missing(dy, x, gamma, eps):
    return back(dy, x, gamma, eps, var=0)


@mistake(
    "no-gamma",
    "γ does not reach dx",
    "y = γ x̂ + β. What is the derivative of y with respect to x̂?",
    see="D45",
)
def no_gamma(dy, x, gamma, eps):
    return back(dy, x, np.ones_like(gamma), eps)


@mistake(
    "fixed-eps-smaller",
    "You use a fixed small ε and not the argument `eps`",
    "What should change in the result when the caller passes a larger `eps`?",
    see="public answers: eps dropped in backward only",
)
def fixed_eps_smaller(dy, x, gamma, eps):
    return back(dy, x, gamma, 1e-8)


@mistake(
    "fixed-eps",
    "You use a fixed small ε and not the argument `eps`",
    "What should change in the result when the caller passes a larger `eps`?",
    see="public answers: eps dropped in backward only",
)
def fixed_eps(dy, x, gamma, eps):
    return back(dy, x, gamma, 1e-5)


@mistake(
    "fixed-eps-larger",
    "You use a fixed ε of 0.001 and not the argument `eps`",
    "What should change in the result when the caller passes a larger `eps`?",
    see="public answers: eps dropped in backward only",
)
def fixed_eps_larger(dy, x, gamma, eps):
    return back(dy, x, gamma, 1e-3)


@mistake(
    "eps-outside-root",
    "ε is added to σ; it belongs under the root, to σ²",
    "What is s by its definition, for a channel with σ² = 0?",
    see="A7",
)
def eps_outside_root(dy, x, gamma, eps):
    return back(dy, x, gamma, 0, outside=eps)


@mistake(
    "sample-variance",
    "Your σ² divides by one less than the number of values; the forward pass divides by it",
    "By what does the variance divide in the definition of batch norm?",
    see="A3, D44",
)
def sample_variance(dy, x, gamma, eps):
    return back(dy, x, gamma, eps, ddof=1)


# ---------------------------------------------------------------- right, written otherwise


@variant("through rows")
def through_rows(dy, x, gamma, eps):
    dx, dgamma, dbeta = rows_back(rows(dy), rows(x), gamma, eps)
    return images(dx, x.shape), dgamma, dbeta


@variant("through rows, the channels moved to the front and back")
def channels_first(dy, x, gamma, eps):
    m, c, p, q = x.shape
    flat = [a.transpose(1, 0, 2, 3).reshape(c, -1).T for a in (dy, x)]
    dx, dgamma, dbeta = rows_back(*flat, gamma, eps)
    return dx.T.reshape(c, m, p, q).transpose(1, 0, 2, 3), dgamma, dbeta


@variant("a loop over channels, each a column")
def channel_loop(dy, x, gamma, eps):
    dx, dgamma, dbeta = np.zeros(x.shape), [], []
    for c in range(x.shape[1]):
        columns = dy[:, c].reshape(-1, 1), x[:, c].reshape(-1, 1)
        out, one, other = rows_back(*columns, gamma[c : c + 1], eps)
        dx[:, c] = out.reshape(dx[:, c].shape)
        dgamma.append(one[0])
        dbeta.append(other[0])
    return dx, np.array(dgamma), np.array(dbeta)


@variant("the graph, with the path from μ to σ²; dγ of shape (1, C, 1, 1)")
def node_by_node(dy, x, gamma, eps):
    up = dict(axis=(0, 2, 3), keepdims=True)
    n = x.shape[0] * x.shape[2] * x.shape[3]
    centred = x - x.mean(**up)
    s = np.sqrt((centred**2).mean(**up) + eps)
    dx_hat = dy * gamma.reshape(1, -1, 1, 1)
    dvar = (dx_hat * centred).sum(**up) * -0.5 * s**-3
    dmu = -(dx_hat / s).sum(**up) + dvar * (-2 * centred).mean(**up)
    dx = dx_hat / s + dvar * 2 * centred / n + dmu / n
    return dx, (dy * centred / s).sum(**up), dy.sum(**up)


@variant("einsum, and by way of dγ and dβ")
def with_einsum(dy, x, gamma, eps):
    n = x[:, 0].size
    mu = np.einsum("mcpq->c", x) / n
    centred = x - mu[:, None, None]
    s = np.sqrt(np.einsum("mcpq,mcpq->c", centred, centred) / n + eps)[:, None, None]
    x_hat = centred / s
    dgamma, dbeta = np.einsum("mcpq,mcpq->c", dy, x_hat), np.einsum("mcpq->c", dy)
    mean, along = dbeta[:, None, None] / n, dgamma[:, None, None] / n
    return gamma[:, None, None] / s * (dy - mean - x_hat * along), dgamma, dbeta


@variant("float32, a list of three")
def in_float32(dy, x, gamma, eps):
    dy, x, gamma = (a.astype(np.float32) for a in (dy, x, gamma))
    return list(back(dy, x, gamma, np.float32(eps)))
