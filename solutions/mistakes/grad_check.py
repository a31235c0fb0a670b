"""Known answers to `grad-check`: wrong ones with their questions, and right ones.

`see` names the place where the mistake is known from: a letter and number of the course's list
of mistakes, or the course's own brief for this exercise.
"""

import numpy as np

from labsupport.authoring.catalogue import mistake, variant

OWN = "the lesson: mistakes of a gradient check"


def entry_by_entry(f, x, slope):
    """slope(f, x, i) for every index i, on a fresh copy in floats."""
    gradient = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        gradient[i] = slope(f, x.astype(float), i)
    return gradient


def moved(x, i, by):
    other = x.copy()
    other[i] += by
    return other


def central(f, x, i, h):
    return (f(moved(x, i, h)) - f(moved(x, i, -h))) / (2 * h)


@mistake(
    "one-sided",
    "You nudge each entry upwards only",
    "The formula has two values of f. At which two points, and how far apart are those?",
    see=OWN,
)
def one_sided(f, x, h):
    return entry_by_entry(f, x, lambda f, x, i: (f(moved(x, i, h)) - f(x)) / h)


@mistake(
    "one-sided-down",
    "You nudge each entry downwards only",
    "The formula has two values of f. At which two points, and how far apart are those?",
    see=OWN,
)
def one_sided_down(f, x, h):
    return entry_by_entry(f, x, lambda f, x, i: (f(x) - f(moved(x, i, -h))) / h)


@mistake(
    "twice",
    "You nudge both ways, and divide by h: every slope comes out twice as steep",
    "How far apart are x + h and x − h?",
    see=OWN,
)
def twice(f, x, h):
    return entry_by_entry(f, x, lambda f, x, i: (f(moved(x, i, h)) - f(moved(x, i, -h))) / h)


@mistake(
    "precedence",
    "`/ 2 * h` divides by 2 and then multiplies by h",
    "In which order does Python work out `a / 2 * h`?",
    see=OWN,
)
def precedence(f, x, h):
    return entry_by_entry(f, x, lambda f, x, i: (f(moved(x, i, h)) - f(moved(x, i, -h))) / 2 * h)


@mistake(
    "back-by-h",
    "Your two points are x + h and x itself, h apart, and you divide by 2h",
    "In the formula, which is the second point? How far is it from x + h to x − h?",
    see=OWN,
)
def back_by_h(f, x, h):
    return entry_by_entry(f, x, lambda f, x, i: (f(moved(x, i, h)) - f(x)) / (2 * h))


@mistake(
    "sign",
    "Your difference is taken the wrong way round: every slope has the wrong sign",
    "If f grows with x, which is larger, f(x + h) or f(x − h)?",
    see=OWN,
)
def sign(f, x, h):
    return entry_by_entry(f, x, lambda f, x, i: (f(moved(x, i, -h)) - f(moved(x, i, h))) / (2 * h))


@mistake(
    "first-entry-only",
    "Only the first slope is there; all the others are 0",
    "When does your loop come to its `return`: after the last entry, or after the first?",
    see=OWN,
)
def first_entry_only(f, x, h):
    gradient = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        gradient[i] = central(f, x.astype(float), i, h)
        return gradient


@mistake(
    "not-divided",
    "You return the difference of the two values of f; it is not yet a slope",
    "A slope is a difference divided by what?",
    see=OWN,
)
def not_divided(f, x, h):
    return entry_by_entry(f, x, lambda f, x, i: f(moved(x, i, h)) - f(moved(x, i, -h)))


@mistake(
    "not-put-back",
    "You nudge `x` itself and do not put the entry back before you go on to the next",
    "When the second entry is nudged, what does the first one hold?",
    see=OWN,
)
def not_put_back(f, x, h):
    gradient = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        x[i] += h
        up = f(x)
        x[i] -= 2 * h
        gradient[i] = (up - f(x)) / (2 * h)
    return gradient


@mistake(
    "copy-not-put-back",
    "You work on a copy, and do not put an entry back before you go on to the next",
    "When the second entry is nudged, what does the first one hold?",
    see=OWN,
)
def copy_not_put_back(f, x, h):
    return not_put_back(f, x.astype(float), h)


@mistake(
    "copies-outside",
    "You make your two copies once, before the loop: every nudge is still there at the next entry",
    "When the second entry is nudged, what do your two copies hold in the first one?",
    see=OWN,
)
def copies_outside(f, x, h):
    up, down, gradient = x.astype(float), x.astype(float), np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        up[i] += h
        down[i] -= h
        gradient[i] = (f(up) - f(down)) / (2 * h)
    return gradient


@mistake(
    "put-back-too-high",
    "You nudge `x` itself, and leave each entry h too high when you go on to the next",
    "Follow one entry through your lines, step by step. Where does it stand at the end?",
    see=OWN,
)
def put_back_too_high(f, x, h):
    gradient = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        old = x[i]
        x[i] = old + h
        up = f(x)
        x[i] = old - h
        gradient[i] = (up - f(x)) / (2 * h)
        x[i] += 2 * h
    return gradient


@mistake(
    "one-copy",
    "Every slope comes out as 0, as if both nudges met in one array and cancelled",
    "After `up = x`, how many arrays are there? What does `down[i] -= h` do to `up`?",
    see=OWN,
)
def one_copy(f, x, h):
    gradient = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        up, down = x, x
        up[i] += h
        down[i] -= h
        gradient[i] = (f(up) - f(down)) / (2 * h)
    return gradient


@mistake(
    "all-at-once",
    "You nudge all entries together: that is one slope, along one direction",
    "How many numbers does a gradient have, and which entry does each of them belong to?",
    see=OWN,
)
def all_at_once(f, x, h):
    return np.full(x.shape, (f(x + h) - f(x - h)) / (2 * h))


@mistake(
    "all-at-once-scalar",
    "You return one number for the whole array",
    "How many numbers does a gradient have, and which entry does each of them belong to?",
    see=OWN,
)
def all_at_once_scalar(f, x, h):
    return (f(x + h) - f(x - h)) / (2 * h)


@mistake(
    "row-by-row",
    "You walk along the first axis only, and nudge a whole row at a time",
    "For a matrix, what is `x[0]`? How do you walk over all entries, whatever the shape?",
    see=OWN,
)
def row_by_row(f, x, h):
    x = x.astype(float)
    gradient = np.zeros(x.shape)
    for i in range(len(x)):
        gradient[i] = (f(moved(x, i, h)) - f(moved(x, i, -h))) / (2 * h)
    return gradient


@mistake(
    "matrices-only",
    "Your two loops take it that `x` is a matrix",
    "What is `x.shape[1]` of a vector? `np.ndindex(x.shape)` knows every shape.",
    see=OWN,
)
def matrices_only(f, x, h):
    x = x.astype(float)
    gradient = np.zeros(x.shape)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            gradient[i, j] = (f(moved(x, (i, j), h)) - f(moved(x, (i, j), -h))) / (2 * h)
    return gradient


@mistake(
    "flat",
    "The result is one long row; it should have the shape of `x`",
    "Which entry of `x` does the fifth number of your result belong to?",
    see=OWN,
)
def flat(f, x, h):
    return entry_by_entry(f, x, lambda f, x, i: central(f, x, i, h)).ravel()


@mistake(
    "whole-numbers",
    "When `x` holds whole numbers, your nudge is cut off: an array of ints cannot hold 3.01",
    "What is `np.array([3])[0]` after `x[0] += 0.01`? Which `dtype` should your copy have?",
    see=OWN,
)
def whole_numbers(f, x, h):
    gradient = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        gradient[i] = central(f, x, i, h)
    return gradient


@mistake(
    "whole-there-and-back",
    "When `x` holds whole numbers, your nudge is cut off: an array of ints cannot hold 3.01",
    "What is `np.array([3])[0]` after `x[0] += 0.01`? Which `dtype` should your copy have?",
    see=OWN,
)
def whole_there_and_back(f, x, h):
    gradient = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        x[i] += h
        up = f(x)
        x[i] -= 2 * h
        gradient[i] = (up - f(x)) / (2 * h)
        x[i] += h
    return gradient


@mistake(
    "whole-copy-there-and-back",
    "When `x` holds whole numbers, your nudge is cut off: an array of ints cannot hold 3.01",
    "What is `np.array([3])[0]` after `x[0] += 0.01`? Which `dtype` should your copy have?",
    see=OWN,
)
def whole_copy_there_and_back(f, x, h):
    return whole_there_and_back(f, x.copy(), h)


@mistake(
    "whole-both-there-and-back",
    "When `x` holds whole numbers, neither your nudge nor your result can hold a fraction",
    "What is `np.array([3])[0]` after `x[0] += 0.01`? And which `dtype` has `np.zeros_like(x)`?",
    see=OWN,
)
def whole_both_there_and_back(f, x, h):
    return whole_there_and_back(f, x, h).astype(x.dtype)


@mistake(
    "whole-step",
    "When `x` holds whole numbers, so does the array of your step, and h in it is 0",
    "Which `dtype` has `np.zeros_like(np.array([1, 2]))`? What becomes of h in it?",
    see=OWN,
)
def whole_step(f, x, h):
    gradient = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[i] = h
        gradient[i] = (f(x + step) - f(x - step)) / (2 * h)
    return gradient


@mistake(
    "whole-result",
    "When `x` holds whole numbers, so does your result: `zeros_like` takes over the `dtype`",
    "Which `dtype` has `np.zeros_like(np.array([1, 2]))`? What becomes of a slope of 0.7 in it?",
    see=OWN,
)
def whole_result(f, x, h):
    gradient = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        gradient[i] = central(f, x.astype(float), i, h)
    return gradient


@mistake(
    "whole-both",
    "When `x` holds whole numbers, neither your nudge nor your result can hold a fraction",
    "What is `np.array([3])[0]` after `x[0] += 0.01`? And which `dtype` has `np.zeros_like(x)`?",
    see=OWN,
)
def whole_both(f, x, h):
    gradient = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        gradient[i] = central(f, x, i, h)
    return gradient


@mistake(
    "ravel",
    "`ravel` and `reshape` may copy: on a transposed matrix your nudges never reach `x`",
    "Is `x.T.ravel()` a view or a copy? Which array do you hand to f, and which do you nudge?",
    see=OWN,
)
def ravel(f, x, h):
    x = np.array(x, dtype=float)  # keeps the order in memory
    row, gradient = x.ravel(), np.zeros(x.size)
    for i in range(x.size):
        old = row[i]
        row[i] = old + h
        up = f(x)
        row[i] = old - h
        gradient[i] = (up - f(x)) / (2 * h)
        row[i] = old
    return gradient.reshape(x.shape)


@mistake(
    "fixed-h",
    "You use a step of your own and not the argument `h`",
    "What should change in the result when the caller asks for a larger `h`?",
    see=OWN,
)
def fixed_h(f, x, h):
    return entry_by_entry(f, x, lambda f, x, i: central(f, x, i, 1e-6))


@mistake(
    "five-point",
    "You use another formula, with four values of f; the text has one with two",
    "At which two points does the formula of the text ask for f?",
    see=OWN,
)
def five_point(f, x, h):
    return entry_by_entry(
        f, x, lambda f, x, i: (4 * central(f, x, i, h) - central(f, x, i, 2 * h)) / 3
    )


@mistake(
    "half-steps",
    "You nudge by h / 2 each way, so that the points are h apart and not 2h",
    "In the formula, how far is each of the two points from x?",
    see=OWN,
)
def half_steps(f, x, h):
    return entry_by_entry(f, x, lambda f, x, i: central(f, x, i, h / 2))


# ---------------------------------------------------------------- right, written otherwise


@variant("in place, the old value kept")
def in_place(f, x, h):
    work = x.astype(float)
    gradient = np.zeros_like(work)
    for i in np.ndindex(*work.shape):
        old = work[i]
        work[i] = old + h
        up = f(work)
        work[i] = old - h
        down = f(work)
        work[i] = old
        gradient[i] = (up - down) / (2 * h)
    return gradient


@variant("in place in x itself where it holds floats, there and back")
def there_and_back(f, x, h):
    work = x if x.dtype.kind == "f" else x.astype(float)
    gradient = np.zeros_like(work)
    for i in np.ndindex(*work.shape):
        work[i] += h
        up = f(work)
        work[i] -= 2 * h
        down = f(work)
        work[i] += h
        gradient[i] = (up - down) / (2 * h)
    return gradient


@variant("nditer")
def with_nditer(f, x, h):
    x = np.array(x, dtype=np.float64)
    gradient = np.zeros(x.shape)
    steps = np.nditer(x, flags=["multi_index"], op_flags=["readwrite"])
    while not steps.finished:
        i = steps.multi_index
        old = x[i]
        x[i] = old + h
        up = f(x)
        x[i] = old - h
        gradient[i] = (up - f(x)) / 2 / h
        x[i] = old
        steps.iternext()
    return gradient


@variant("unit vectors")
def with_unit_vectors(f, x, h):
    steps = h * np.eye(x.size).reshape(-1, *x.shape)
    slopes = [(f(x + step) - f(x - step)) / (2 * h) for step in steps]
    return np.array(slopes).reshape(x.shape)


@variant("x.flat")
def with_flat(f, x, h):
    gradient = []
    for i in range(x.size):
        up, down = x.astype(float), x.astype(float)
        up.flat[i] += h
        down.flat[i] -= h
        gradient.append((f(up) - f(down)) / (2 * h))
    return np.reshape(gradient, x.shape)


@variant("f called on lists")
def with_lists(f, x, h):
    def at(i, by):
        return f(moved(x.astype(float), i, by).tolist())

    gradient = np.empty(x.shape)
    for i in np.ndindex(x.shape):
        gradient[i] = 0.5 * (at(i, h) - at(i, -h)) / h
    return gradient
