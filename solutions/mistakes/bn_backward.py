"""Known answers to `bn-backward`: wrong ones with their questions, and right ones.

`see` names the place where the mistake is known from: a letter and number of the course's list
of mistakes, or the public answers that were read for it.
"""

import numpy as np

from labsupport.authoring.catalogue import mistake, variant


def forward(x, eps):
    mu, var = x.mean(axis=0), x.var(axis=0)
    return x - mu, np.sqrt(var + eps)


def graph(dy, x, gamma, eps, *, direct=1.0, mu=1.0, var=1.0, inside=None, spread=None):
    """The gradient by the graph, with its three paths weighted, and parts replaced.

    inside: dσ² from (dx̂, centred, s); spread: s itself.
    """
    centred, s = forward(x, eps)
    s = s if spread is None else spread
    x_hat, m = centred / s, len(x)
    dx_hat = gamma * dy
    dvar = (
        -0.5 * (dx_hat * centred).sum(axis=0) / s**3
        if inside is None
        else inside(dx_hat, centred, s)
    )
    dmu = -(dx_hat / s).sum(axis=0)
    dx = direct * dx_hat / s + var * dvar * 2 * centred / m + mu * dmu / m
    return dx, (dy * x_hat).sum(axis=0), dy.sum(axis=0)


def with_dx(dy, x, gamma, eps, dx_of):
    """The right dγ and dβ, and another dx: dx_of(dx̂, x̂, s)."""
    centred, s = forward(x, eps)
    x_hat = centred / s
    return dx_of(gamma * dy, x_hat, s), (dy * x_hat).sum(axis=0), dy.sum(axis=0)


# ---------------------------------------------------------------- paths


@mistake(
    "both-missing",
    "You treat μ and σ² as constants: only the direct path is left",
    "When one xᵢ grows, what do μ and σ² do? Which arrows leave x in the graph?",
    see="D37; facebookresearch/CrypTen#143",
)
def both_missing(dy, x, gamma, eps):
    return graph(dy, x, gamma, eps, mu=0, var=0)


@mistake(
    "mu-missing",
    "The path through μ is missing",
    "What is the sum of your dx over the batch? What does that sum say?",
    see="D38",
)
def mu_missing(dy, x, gamma, eps):
    return graph(dy, x, gamma, eps, mu=0)


@mistake(
    "var-missing",
    "The path through σ² is missing",
    "What is the sum of your dx times x̂ over the batch? What does that sum say?",
    see="D39",
)
def var_missing(dy, x, gamma, eps):
    return graph(dy, x, gamma, eps, var=0)


@mistake(
    "var-sign",
    "The path through σ² has the wrong sign",
    "When σ² grows, does x̂ of a sample above the mean grow or shrink?",
    see="D40",
)
def var_sign(dy, x, gamma, eps):
    return graph(dy, x, gamma, eps, var=-1)


@mistake(
    "mu-sign",
    "The path through μ has the wrong sign",
    "When μ grows, do the x̂ grow or shrink?",
    see="D38",
)
def mu_sign(dy, x, gamma, eps):
    return graph(dy, x, gamma, eps, mu=-1)


@mistake(
    "exponent",
    "In dσ² you have (σ² + ε) to the power −½; a derivative lowers the exponent",
    "What is the derivative of v to the power −½?",
    see="D41",
)
def exponent(dy, x, gamma, eps):
    return graph(dy, x, gamma, eps, inside=lambda dx_hat, c, s: -0.5 * (dx_hat * c).sum(axis=0) / s)


@mistake(
    "exponent-minus-one",
    "In dσ² you divide by σ² + ε, where its power 3/2 belongs",
    "What is the derivative of v to the power −½?",
    see="D41",
)
def exponent_minus_one(dy, x, gamma, eps):
    return graph(
        dy, x, gamma, eps, inside=lambda dx_hat, c, s: -0.5 * (dx_hat * c).sum(axis=0) / s**2
    )


@mistake(
    "exponent-on-s",
    "In dσ² you have s to the power −3/2; that exponent belongs to σ² + ε",
    "s is a root. Which power of s is σ² + ε to the power 3/2?",
    see="D41",
)
def exponent_on_s(dy, x, gamma, eps):
    return graph(
        dy, x, gamma, eps, inside=lambda dx_hat, c, s: -0.5 * (dx_hat * c).sum(axis=0) / s**1.5
    )


@mistake(
    "factor-two",
    "The path through σ² comes at half its strength: the 2 of the square is lost",
    "What is the derivative of (xᵢ − μ)² with respect to xᵢ?",
    see="D42",
)
def factor_two(dy, x, gamma, eps):
    return graph(dy, x, gamma, eps, var=0.5)


@mistake(
    "root-half",
    "The path through σ² comes at double strength: the ½ of the root is lost",
    "What is the derivative of the root of v?",
    see="D41",
)
def root_half(dy, x, gamma, eps):
    return graph(dy, x, gamma, eps, var=2)


@mistake(
    "count-lost",
    "1/m is lost in both statistics: their paths come m times too strong",
    "μ is a mean. By how much does it move when one xᵢ moves by 1?",
    see="D43",
)
def count_lost(dy, x, gamma, eps):
    return graph(dy, x, gamma, eps, mu=len(x), var=len(x))


@mistake(
    "count-lost-mu",
    "1/m is lost on the path through μ, which comes m times too strong",
    "μ is a mean. By how much does it move when one xᵢ moves by 1?",
    see="D43",
)
def count_lost_mu(dy, x, gamma, eps):
    return graph(dy, x, gamma, eps, mu=len(x))


@mistake(
    "count-lost-var",
    "1/m is lost on the path through σ², which comes m times too strong",
    "σ² is a mean of squares. Which factor stands before its sum?",
    see="D43",
)
def count_lost_var(dy, x, gamma, eps):
    return graph(dy, x, gamma, eps, var=len(x))


@mistake(
    "count-twice",
    "1/m comes in twice in both statistics: their paths come m times too weak",
    "dσ² and dμ are gradients of numbers shared by all samples: a sum or a mean over the batch?",
    see="D43, D48",
)
def count_twice(dy, x, gamma, eps):
    return graph(dy, x, gamma, eps, mu=1 / len(x), var=1 / len(x))


@mistake(
    "count-twice-mu",
    "1/m comes in twice on the path through μ, which comes m times too weak",
    "dμ is the gradient of a number shared by all samples: a sum or a mean over the batch?",
    see="D43, D48",
)
def count_twice_mu(dy, x, gamma, eps):
    return graph(dy, x, gamma, eps, mu=1 / len(x))


@mistake(
    "count-twice-var",
    "1/m comes in twice on the path through σ², which comes m times too weak",
    "dσ² is the gradient of a number shared by all samples: a sum or a mean over the batch?",
    see="D43, D48",
)
def count_twice_var(dy, x, gamma, eps):
    return graph(dy, x, gamma, eps, var=1 / len(x))


@mistake(
    "count-minus-one",
    "On the way back σ² divides by m − 1, on the way forward by m",
    "Which variance did the forward pass use? The way back has to differentiate that one.",
    see="D44",
)
def count_minus_one(dy, x, gamma, eps):
    m = len(x)
    with np.errstate(all="ignore"):
        return graph(dy, x, gamma, eps, var=np.float64(m) / (m - 1))


@mistake(
    "count-of-features",
    "You divide by the number of features; μ and σ² are means over the batch",
    "Which of the two numbers in `x.shape` is m?",
    see="D46",
)
def count_of_features(dy, x, gamma, eps):
    ratio = x.shape[0] / x.shape[1]
    return graph(dy, x, gamma, eps, mu=ratio, var=ratio)


@mistake(
    "count-of-numbers",
    "You divide by `x.size`; the mean of one feature is over m numbers",
    "How many numbers go into the mean of one feature?",
    see="D46",
)
def count_of_numbers(dy, x, gamma, eps):
    ratio = x.shape[0] / x.size
    return graph(dy, x, gamma, eps, mu=ratio, var=ratio)


@mistake(
    "mu-not-scaled",
    "In dμ the division by s is missing",
    "x̂ᵢ = (xᵢ − μ) / s. What is its derivative with respect to μ?",
    see="D38",
)
def mu_not_scaled(dy, x, gamma, eps):
    return graph(dy, x, gamma, eps, mu=forward(x, eps)[1])


@mistake(
    "mu-from-dy",
    "In dμ you have dy where dx̂ belongs: γ is lost on that path",
    "Which gradient arrives at x̂? Which nodes lie between x̂ and the loss?",
    see="D45",
)
def mu_from_dy(dy, x, gamma, eps):
    return graph(dy, x, gamma, eps, mu=1 / gamma)


@mistake(
    "direct-not-scaled",
    "On the direct path the division by s is missing",
    "x̂ᵢ = (xᵢ − μ) / s. With μ and s held still, what is its derivative with respect to xᵢ?",
    see="D41",
)
def direct_not_scaled(dy, x, gamma, eps):
    return graph(dy, x, gamma, eps, direct=forward(x, eps)[1])


@mistake(
    "direct-missing",
    "The direct path is missing: only those through μ and σ² are there",
    "If one xᵢ grows, does its own x̂ᵢ change even when μ and σ² stay?",
    see="D37",
)
def direct_missing(dy, x, gamma, eps):
    return graph(dy, x, gamma, eps, direct=0)


@mistake(
    "var-from-x",
    "In dσ² you have xᵢ where xᵢ − μ belongs",
    "x̂ᵢ = (xᵢ − μ) / s. When s changes a little, which number is it that gets scaled?",
    see="public answers: cache misread",
)
def var_from_x(dy, x, gamma, eps):
    return graph(
        dy, x, gamma, eps, inside=lambda dx_hat, c, s: -0.5 * (dx_hat * x).sum(axis=0) / s**3
    )


@mistake(
    "var-from-x-hat",
    "In one of the two places of the path through σ² you have x̂ᵢ where xᵢ − μ belongs",
    "How do x̂ᵢ and xᵢ − μ differ? Which power of s goes with each of them?",
    see="public answers: cache misread",
)
def var_from_x_hat(dy, x, gamma, eps):
    return graph(
        dy, x, gamma, eps, inside=lambda dx_hat, c, s: -0.5 * (dx_hat * c / s).sum(axis=0) / s**3
    )


@mistake(
    "var-from-dy",
    "In dσ² you have dy where dx̂ belongs: γ is lost on that path",
    "Which gradient arrives at x̂? Which nodes lie between x̂ and the loss?",
    see="D45",
)
def var_from_dy(dy, x, gamma, eps):
    return graph(dy, x, gamma, eps, inside=lambda dx_hat, c, s: -0.5 * (dy * c).sum(axis=0) / s**3)


@mistake(
    "dx-from-x",
    "In the last step you have xᵢ where xᵢ − μ belongs",
    "What is the derivative of (xᵢ − μ)² with respect to xᵢ?",
    see="public answers: cache misread",
)
def dx_from_x(dy, x, gamma, eps):
    dx, dgamma, dbeta = graph(dy, x, gamma, eps)
    centred, s = forward(x, eps)
    dvar = -0.5 * (gamma * dy * centred).sum(axis=0) / s**3
    return dx + dvar * 2 * x.mean(axis=0) / len(x), dgamma, dbeta


# ---------------------------------------------------------------- γ, ε and the spread


@mistake(
    "no-gamma",
    "γ does not reach dx",
    "y = γ x̂ + β. What is the derivative of y with respect to x̂?",
    see="D45; denizyuret/Knet.jl#288",
)
def no_gamma(dy, x, gamma, eps):
    return graph(dy, x, np.ones_like(gamma), eps)


@mistake(
    "gamma-twice",
    "γ comes in twice: in dx̂ and again at the end",
    "How many arrows with γ at their tail does the gradient pass on its way to x?",
    see="D45",
)
def gamma_twice(dy, x, gamma, eps):
    dx, dgamma, dbeta = graph(dy, x, gamma, eps)
    return gamma * dx, dgamma, dbeta


@mistake(
    "no-eps",
    "On the way back you divide by σ, without ε",
    "What did the forward pass divide by? What is σ of a feature that never varies?",
    see="public answers: eps dropped in backward only; chainer/chainer#4191",
)
def no_eps(dy, x, gamma, eps):
    return graph(dy, x, gamma, eps, spread=x.std(axis=0))


@mistake(
    "no-eps-in-dx",
    "dγ is right, but in dx you divide by σ, without ε",
    "What did the forward pass divide by? What is σ of a feature that never varies?",
    see="public answers: eps dropped in backward only",
)
def no_eps_in_dx(dy, x, gamma, eps):
    _, dgamma, dbeta = graph(dy, x, gamma, eps)
    return graph(dy, x, gamma, eps, spread=x.std(axis=0))[0], dgamma, dbeta


@mistake(
    "fixed-eps",
    "You use a fixed small ε and not the argument `eps`",
    "What should change in the result when the caller passes a larger `eps`?",
    see="public answers: eps dropped in backward only",
)
def fixed_eps(dy, x, gamma, eps):
    return graph(dy, x, gamma, 1e-5)


@mistake(
    "fixed-eps-smaller",
    "You use a fixed small ε and not the argument `eps`",
    "What should change in the result when the caller passes a larger `eps`?",
    see="public answers: eps dropped in backward only",
)
def fixed_eps_smaller(dy, x, gamma, eps):
    return graph(dy, x, gamma, 1e-8)


@mistake(
    "fixed-eps-larger",
    "You use a fixed ε of 0.001 and not the argument `eps`",
    "What should change in the result when the caller passes a larger `eps`?",
    see="public answers: eps dropped in backward only",
)
def fixed_eps_larger(dy, x, gamma, eps):
    return graph(dy, x, gamma, 1e-3)


@mistake(
    "eps-outside-root",
    "ε is added to σ; it belongs under the root, to σ²",
    "What is s by its definition, for a feature with σ² = 0?",
    see="A7",
)
def eps_outside_root(dy, x, gamma, eps):
    return graph(dy, x, gamma, eps, spread=x.std(axis=0) + eps)


@mistake(
    "sample-variance",
    "Your σ² divides by m − 1; the forward pass divides by m",
    "By what does the variance divide in the definition of batch norm?",
    see="A3, D44",
)
def sample_variance(dy, x, gamma, eps):
    with np.errstate(all="ignore"):
        var = ((x - x.mean(axis=0)) ** 2).sum(axis=0) / np.float64(len(x) - 1)
        return graph(dy, x, gamma, eps, spread=np.sqrt(var + eps))


@mistake(
    "not-divided-by-s",
    "The division by s is missing on all paths",
    "If every x is ten times larger, and moves ten times further, what do the outputs do?",
    see="D41",
)
def not_divided_by_s(dy, x, gamma, eps):
    dx, dgamma, dbeta = graph(dy, x, gamma, eps)
    return dx * forward(x, eps)[1], dgamma, dbeta


# ---------------------------------------------------------------- axes and Jacobians


@mistake(
    "diagonal",
    "You keep only how each xᵢ moves its own yᵢ; it moves those of its batch-mates too",
    "When x₁ grows, what happens to y₂? Where in your sum is dy₂?",
    see="public answers: diagonal Jacobian",
)
def diagonal(dy, x, gamma, eps):
    m = len(x)
    return with_dx(dy, x, gamma, eps, lambda g, x_hat, s: g * (1 - 1 / m - x_hat**2 / m) / s)


@mistake(
    "no-axis-in-var",
    "Your dσ² is one number; every feature has a σ² of its own",
    "What shape does σ² have? And a sum without `axis`?",
    see="public answers: missing reduction axis",
)
def no_axis_in_var(dy, x, gamma, eps):
    return graph(dy, x, gamma, eps, inside=lambda dx_hat, c, s: (-0.5 * dx_hat * c / s**3).sum())


@mistake(
    "no-axis-in-mu",
    "Your dμ is one number; every feature has a μ of its own",
    "What shape does μ have? And a sum without `axis`?",
    see="public answers: missing reduction axis",
)
def no_axis_in_mu(dy, x, gamma, eps):
    dx, dgamma, dbeta = graph(dy, x, gamma, eps, mu=0)
    return dx - (gamma * dy / forward(x, eps)[1]).sum() / len(x), dgamma, dbeta


@mistake(
    "no-axis-anywhere",
    "Your sums have no `axis`: they mix the features",
    "What shape do μ and σ² have, and therefore their gradients?",
    see="public answers: missing reduction axis",
)
def no_axis_anywhere(dy, x, gamma, eps):
    centred, s = forward(x, eps)
    x_hat, m, dx_hat = centred / s, len(x), gamma * dy
    dvar, dmu = (-0.5 * dx_hat * centred / s**3).sum(), -(dx_hat / s).sum()
    return dx_hat / s + dvar * 2 * centred / m + dmu / m, (dy * x_hat).sum(), dy.sum()


@mistake(
    "not-summed-in-var",
    "Your dσ² has not been summed over the batch",
    "σ² is shared by all samples. What happens on the way back to what was shared?",
    see="public answers: missing reduction axis",
)
def not_summed_in_var(dy, x, gamma, eps):
    return graph(dy, x, gamma, eps, inside=lambda dx_hat, c, s: -0.5 * dx_hat * c / s**3)


@mistake(
    "not-summed-in-mu",
    "Your dμ has not been summed over the batch",
    "μ is shared by all samples. What happens on the way back to what was shared?",
    see="public answers: missing reduction axis",
)
def not_summed_in_mu(dy, x, gamma, eps):
    dx, dgamma, dbeta = graph(dy, x, gamma, eps, mu=0)
    return dx - gamma * dy / forward(x, eps)[1] / len(x), dgamma, dbeta


@mistake(
    "wrong-axis",
    "Your means run over the features of each sample, not over the batch",
    "Each column of `x` is one feature. Along which axis do you walk down a column?",
    see="A1",
)
def wrong_axis(dy, x, gamma, eps):
    mu, var = x.mean(axis=1, keepdims=True), x.var(axis=1, keepdims=True)
    s, dx_hat = np.sqrt(var + eps), gamma * dy
    x_hat = (x - mu) / s
    mean = dx_hat.mean(axis=1, keepdims=True)
    along = (dx_hat * x_hat).mean(axis=1, keepdims=True)
    return (dx_hat - mean - x_hat * along) / s, (dy * x_hat).sum(axis=0), dy.sum(axis=0)


# ---------------------------------------------------------------- dγ and dβ


@mistake(
    "dgamma-from-x",
    "Your dγ is made with x; γ multiplies x̂",
    "y = γ x̂ + β. What is the derivative of y with respect to γ?",
    see="D47",
)
def dgamma_from_x(dy, x, gamma, eps):
    dx, _, dbeta = graph(dy, x, gamma, eps)
    return dx, (dy * x).sum(axis=0), dbeta


@mistake(
    "dgamma-from-centred",
    "Your dγ is made with x − μ; γ multiplies x̂",
    "y = γ x̂ + β. What is the derivative of y with respect to γ?",
    see="D47",
)
def dgamma_from_centred(dy, x, gamma, eps):
    dx, _, dbeta = graph(dy, x, gamma, eps)
    return dx, (dy * (x - x.mean(axis=0))).sum(axis=0), dbeta


@mistake(
    "dgamma-from-output",
    "Your dγ is made with γ x̂; γ multiplies x̂ alone",
    "y = γ x̂ + β. What is the derivative of y with respect to γ? Is γ still in it?",
    see="D47",
)
def dgamma_from_output(dy, x, gamma, eps):
    dx, dgamma, dbeta = graph(dy, x, gamma, eps)
    return dx, gamma * dgamma, dbeta


@mistake(
    "dgamma-by-mean",
    "Your dγ is a mean over the batch; what was shared is summed on the way back",
    "If every sample is in the batch twice, what should become of dγ?",
    see="D48",
)
def dgamma_by_mean(dy, x, gamma, eps):
    dx, dgamma, dbeta = graph(dy, x, gamma, eps)
    return dx, dgamma / len(x), dbeta


@mistake(
    "dbeta-by-mean",
    "Your dβ is a mean over the batch; what was shared is summed on the way back",
    "If every sample is in the batch twice, what should become of dβ?",
    see="D48",
)
def dbeta_by_mean(dy, x, gamma, eps):
    dx, dgamma, dbeta = graph(dy, x, gamma, eps)
    return dx, dgamma, dbeta / len(x)


@mistake(
    "both-by-mean",
    "Your dγ and dβ are means over the batch; what was shared is summed on the way back",
    "If every sample is in the batch twice, what should become of dβ?",
    see="D48",
)
def both_by_mean(dy, x, gamma, eps):
    dx, dgamma, dbeta = graph(dy, x, gamma, eps)
    return dx, dgamma / len(x), dbeta / len(x)


@mistake(
    "dgamma-over-features",
    "Your dγ is summed over the features and has one number per sample",
    "What shape does γ have? Along which axis must you sum to get that shape?",
    see="D48",
)
def dgamma_over_features(dy, x, gamma, eps):
    centred, s = forward(x, eps)
    dx, _, dbeta = graph(dy, x, gamma, eps)
    return dx, (dy * centred / s).sum(axis=1), dbeta


@mistake(
    "dbeta-over-features",
    "Your dβ is summed over the features and has one number per sample",
    "What shape does β have? Along which axis must you sum to get that shape?",
    see="D48",
)
def dbeta_over_features(dy, x, gamma, eps):
    dx, dgamma, _ = graph(dy, x, gamma, eps)
    return dx, dgamma, dy.sum(axis=1)


@mistake(
    "summed-over-features",
    "Your dγ and dβ are summed over the features and have one number per sample",
    "What shape does γ have? Along which axis must you sum to get that shape?",
    see="D48",
)
def summed_over_features(dy, x, gamma, eps):
    centred, s = forward(x, eps)
    return graph(dy, x, gamma, eps)[0], (dy * centred / s).sum(axis=1), dy.sum(axis=1)


@mistake(
    "dgamma-not-summed",
    "Your dγ has not been summed over the batch",
    "What shape does γ have, and therefore its gradient?",
    see="D48; public answers: missing reduction axis",
)
def dgamma_not_summed(dy, x, gamma, eps):
    centred, s = forward(x, eps)
    dx, _, dbeta = graph(dy, x, gamma, eps)
    return dx, dy * centred / s, dbeta


@mistake(
    "dbeta-not-summed",
    "Your dβ has not been summed over the batch",
    "What shape does β have, and therefore its gradient?",
    see="D48; public answers: missing reduction axis",
)
def dbeta_not_summed(dy, x, gamma, eps):
    dx, dgamma, _ = graph(dy, x, gamma, eps)
    return dx, dgamma, dy


@mistake(
    "not-summed",
    "Your dγ and dβ have not been summed over the batch",
    "What shape does γ have, and therefore its gradient?",
    see="D48; public answers: missing reduction axis",
)
def not_summed(dy, x, gamma, eps):
    centred, s = forward(x, eps)
    return graph(dy, x, gamma, eps)[0], dy * centred / s, dy


@mistake(
    "dgamma-one-number",
    "Your dγ is a single number: the sum has no `axis`",
    "What shape does γ have, and therefore its gradient?",
    see="public answers: missing reduction axis",
)
def dgamma_one_number(dy, x, gamma, eps):
    dx, dgamma, dbeta = graph(dy, x, gamma, eps)
    return dx, dgamma.sum(), dbeta


@mistake(
    "dbeta-one-number",
    "Your dβ is a single number: the sum has no `axis`",
    "What shape does β have, and therefore its gradient?",
    see="public answers: missing reduction axis",
)
def dbeta_one_number(dy, x, gamma, eps):
    dx, dgamma, dbeta = graph(dy, x, gamma, eps)
    return dx, dgamma, dbeta.sum()


@mistake(
    "summed-to-one-number",
    "Your dγ and dβ are single numbers: the sums have no `axis`",
    "What shape does γ have, and therefore its gradient?",
    see="public answers: missing reduction axis",
)
def summed_to_one_number(dy, x, gamma, eps):
    centred, s = forward(x, eps)
    return graph(dy, x, gamma, eps)[0], (dy * centred / s).sum(), dy.sum()


@mistake(
    "dbeta-scaled",
    "Your dβ is made with γ dy; β is added after the multiplication by γ",
    "y = γ x̂ + β. What is the derivative of y with respect to β?",
    see="D45",
)
def dbeta_scaled(dy, x, gamma, eps):
    dx, dgamma, dbeta = graph(dy, x, gamma, eps)
    return dx, dgamma, gamma * dbeta


@mistake(
    "order",
    "dγ and dβ have changed places",
    "In which order does the text want the three results?",
    see="D47",
)
def order(dy, x, gamma, eps):
    dx, dgamma, dbeta = graph(dy, x, gamma, eps)
    return dx, dbeta, dgamma


@mistake(
    "dx-last",
    "dx comes last; it should come first",
    "In which order does the text want the three results?",
    see="D47",
)
def dx_last(dy, x, gamma, eps):
    dx, dgamma, dbeta = graph(dy, x, gamma, eps)
    return dgamma, dbeta, dx


@mistake(
    "changes-dy-after",
    "You multiply `dy` by γ in place; whoever called you still needs it",
    "After `dy *= gamma`, what does the array hold that the caller knows as `dy`?",
    see="public answers: cache misread",
)
def changes_dy_after(dy, x, gamma, eps):
    found = graph(dy, x, gamma, eps)
    dy *= gamma
    return found


@mistake(
    "changes-dy",
    "You multiply `dy` by γ in place, so that dγ and dβ are made from another dy",
    "After `dx_hat = dy` and `dx_hat *= gamma`, what is in `dy`?",
    see="public answers: cache misread",
)
def changes_dy(dy, x, gamma, eps):
    dx_hat = dy
    dx_hat *= gamma
    return graph(dx_hat, x, np.ones_like(gamma), eps)


# ---------------------------------------------------------------- right, written otherwise


@variant("node by node, with the path from μ to σ²")
def node_by_node(dy, x, gamma, eps):
    m = x.shape[0]
    mu = 1 / m * np.sum(x, axis=0)
    xmu = x - mu
    var = 1 / m * np.sum(xmu**2, axis=0)
    sqrtvar = np.sqrt(var + eps)
    ivar = 1 / sqrtvar
    x_hat = xmu * ivar
    dbeta = np.sum(dy, axis=0)
    dgamma = np.sum(dy * x_hat, axis=0)
    dx_hat = dy * gamma
    divar = np.sum(dx_hat * xmu, axis=0)
    dsqrtvar = -divar / sqrtvar**2
    dvar = 0.5 * dsqrtvar / sqrtvar
    dxmu = dx_hat * ivar + 2 * xmu * np.ones((m, 1)) * dvar / m
    dmu = -np.sum(dxmu, axis=0)
    return dxmu + np.ones_like(x) * dmu / m, dgamma, dbeta


@variant("the paper's equations")
def as_in_the_paper(dy, x, gamma, eps):
    m, mu, var = len(x), x.mean(0), x.var(0)
    dx_hat = dy * gamma
    dvar = (dx_hat * (x - mu) * -0.5 * (var + eps) ** -1.5).sum(0)
    dmu = (-dx_hat / np.sqrt(var + eps)).sum(0) + dvar * (-2 * (x - mu)).mean(0)
    dx = dx_hat / np.sqrt(var + eps) + dvar * 2 * (x - mu) / m + dmu / m
    return dx, (dy * (x - mu) / np.sqrt(var + eps)).sum(0), dy.sum(0)


@variant("without the path from μ to σ², which carries 0")
def without_the_empty_path(dy, x, gamma, eps):
    return graph(dy, x, gamma, eps)


@variant("closed form")
def closed_form(dy, x, gamma, eps):
    centred, s = forward(x, eps)
    x_hat, m = centred / s, len(x)
    dx_hat = gamma * dy
    dx = (m * dx_hat - dx_hat.sum(axis=0) - x_hat * (dx_hat * x_hat).sum(axis=0)) / (m * s)
    return dx, (dy * x_hat).sum(axis=0), dy.sum(axis=0)


@variant("closed form by way of dγ and dβ, of shape (1, D)")
def by_way_of_dgamma(dy, x, gamma, eps):
    centred, s = forward(x, eps)
    x_hat = centred / s
    dgamma = np.sum(dy * x_hat, axis=0, keepdims=True)
    dbeta = np.sum(dy, axis=0, keepdims=True)
    return gamma / s * (dy - dbeta / len(x) - x_hat * dgamma / len(x)), dgamma, dbeta


@variant("matrices of ones")
def with_ones(dy, x, gamma, eps):
    m = len(x)
    ones = np.ones((m, m)) / m
    centre = np.eye(m) - ones
    centred = centre @ x
    s = np.sqrt(ones @ centred**2 + eps)
    x_hat, dx_hat = centred / s, dy * gamma
    dx = centre @ (dx_hat / s) - x_hat / s * (ones @ (dx_hat * x_hat))
    return dx, np.ones(m) @ (dy * x_hat), np.ones(m).dot(dy)


@variant("a loop over rows")
def with_row_loop(dy, x, gamma, eps):
    m, (centred, s) = len(x), forward(x, eps)
    dgamma, dbeta, dvar, dmu = (np.zeros(x.shape[1]) for _ in range(4))
    for i in range(m):
        dbeta += dy[i]
        dgamma += dy[i] * centred[i] / s
        dvar += gamma * dy[i] * centred[i] * -0.5 * s**-3
        dmu -= gamma * dy[i] / s
    rows = [gamma * dy[i] / s + dvar * 2 / m * centred[i] + dmu / m for i in range(m)]
    return np.array(rows), dgamma, dbeta


@variant("the Jacobian of each feature")
def with_jacobians(dy, x, gamma, eps):
    m, d = x.shape
    dx, dgamma = np.zeros((m, d)), np.zeros(d)
    for j in range(d):
        s = np.sqrt(x[:, j].var() + eps)
        x_hat = (x[:, j] - x[:, j].mean()) / s
        jacobian = gamma[j] / s * (np.eye(m) - 1 / m - np.outer(x_hat, x_hat) / m)
        dx[:, j] = jacobian.T.dot(dy[:, j])
        dgamma[j] = dy[:, j].dot(x_hat)
    return dx, dgamma, dy.T.dot(np.ones(m))


@variant("einsum")
def with_einsum(dy, x, gamma, eps):
    centred, s = forward(x, eps)
    x_hat, m = centred / s, len(x)
    dgamma = np.einsum("ij,ij->j", dy, x_hat)
    dbeta = np.einsum("ij->j", dy)
    return (gamma / s) * (dy - dbeta / m - x_hat * dgamma / m), dgamma, dbeta


@variant("transposed and back")
def transposed(dy, x, gamma, eps):
    rows, up = x.T, dy.T
    centred = rows - rows.mean(axis=1, keepdims=True)
    s = np.sqrt((centred**2).mean(axis=1, keepdims=True) + eps)
    x_hat, g = centred / s, up * gamma[:, None]
    dx = g - g.mean(axis=1, keepdims=True) - x_hat * (g * x_hat).mean(axis=1, keepdims=True)
    return (dx / s).T, (up * x_hat).sum(axis=1), up.sum(axis=1)


@variant("float32, a list of three")
def in_float32(dy, x, gamma, eps):
    dy, x, gamma = (a.astype(np.float32) for a in (dy, x, gamma))
    return list(closed_form(dy, x, gamma, np.float32(eps)))


@variant("in place on copies")
def in_place_on_copies(dy, x, gamma, eps):
    centred, s = forward(x, eps)
    x_hat = centred / s
    dx = dy * gamma
    along = (dx * x_hat).mean(axis=0)
    dx -= dx.mean(axis=0)
    dx -= x_hat * along
    dx /= s
    return dx, (dy * x_hat).sum(axis=0), dy.sum(axis=0)
