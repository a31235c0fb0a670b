from known_mistakes import *  # noqa: F403
from known_mistakes import exercises, np, pytest, verdict

LESSON = "03_backpropagation"


def normalized(x, eps):
    s = np.sqrt(x.var(axis=0) + eps)
    return (x - x.mean(axis=0)) / s, s


def there_and_back(f, x, h, width):
    gradient = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        x[i] += h
        up = f(x)
        x[i] -= 2 * h
        gradient[i] = (up - f(x)) / width
        x[i] += h
    return gradient


def backward(dx_of):
    """A `batch_norm_backward` with the right dγ and dβ, and dx_of(dx̂, x̂, s)."""

    def answer(dy, x, gamma, eps):
        x_hat, s = normalized(x, eps)
        return dx_of(gamma * dy, x_hat, s), (dy * x_hat).sum(axis=0), dy.sum(axis=0)

    return answer


def short(dx_of):
    return lambda dy, x_hat, gamma, s: dx_of(gamma * dy, x_hat, s)


def closed(g, x_hat, s):
    return (g - g.mean(axis=0) - x_hat * (g * x_hat).mean(axis=0)) / s


def row_mean(g, x_hat, s):
    return (g - g.mean(axis=1, keepdims=True) - x_hat * (g * x_hat).mean(axis=0)) / s


def x_centred_in_place(dy, x, gamma, eps):
    x -= x.mean(axis=0)
    return backward(closed)(dy, x, gamma, eps)


def dx_last_fixed_eps(dy, x, gamma, eps):
    dx, dgamma, dbeta = backward(closed)(dy, x, gamma, 1e-5)
    return dgamma, dbeta, dx


#: Exercise, answer, the points it gets, and for some parts words that are said, or are not (¬).
SAID = {
    "slopes that are not 0": (
        "grad-check",
        lambda f, x, h: there_and_back(f, x, h, h),
        0,
        {"inputs": ("changes its input x",)},
    ),
    "wrong sign": (
        "bn-backward",
        backward(lambda *given: -closed(*given)),
        4,
        {"dx": ("has the wrong sign",), "eps": ("has the wrong sign",)},
    ),
    "nothing": ("bn-backward", backward(lambda g, *_: 0 * g), 4, {"dx": ("is 0 everywhere",)}),
    "direct path": (
        "bn-backward",
        backward(lambda g, x_hat, s: closed(g, x_hat, s) + g / s),
        4,
        {"dx": ("Look at the direct path",)},
    ),
    "path through the variance": (
        "bn-backward",
        backward(
            lambda g, x_hat, s: closed(g, x_hat, s) + x_hat * (g * x_hat).mean(axis=0) / s / 3
        ),
        4,
        {"dx": ("Follow the path through σ²",)},
    ),
    "a mean along the wrong axis": (
        "bn-backward-short",
        short(row_mean),
        0,
        {"dx": ("adds up to", "¬direct path", "¬Follow")},
    ),
    "each its own mean": (
        "bn-backward-short",
        short(lambda g, x_hat, s: closed(g, x_hat, s) + (g.mean(axis=0) - g / len(g)) / s),
        0,
        {"dx": ("adds up to", "¬direct path", "¬Follow")},
    ),
    "x changed": (
        "bn-backward",
        x_centred_in_place,
        10,
        {"inputs": ("changes its input x",)},
    ),
    "two mistakes": (
        "bn-backward",
        dx_last_fixed_eps,
        0,
        {"dx": ("dx comes last",), "eps": ("¬changed places",)},
    ),
    "an ε of its own": (
        "bn-cache",
        lambda x, eps: normalized(x, 1e-4),
        3,
        {"eps": ("Yours is 0.0001",)},
    ),
    "the larger ε": ("bn-backward", lambda *a: backward(closed)(*a[:3], 1e-3), 7, {}),
    "no word fits": (
        "bn-which-path",
        dict.fromkeys("ABCDEF", "half"),
        1,
        {"B": ("`half`", "¬missing"), "A": ("`half`",), "C": ("`half`", "¬wrong way round")},
    ),
}


@pytest.mark.parametrize("title", SAID)
def test_what_is_said(title, seed):
    exercise_id, answer, points, said = SAID[title]
    found = verdict(exercises.find(exercise_id), answer, seed)
    assert found.points == points
    for part in found.parts:
        for words in said.get(part.part.id, ()):
            assert (words.lstrip("¬") in part.message) == (words[0] != "¬"), part.message
