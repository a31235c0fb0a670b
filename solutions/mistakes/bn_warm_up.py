"""Known answers to `bn-warm-up`: wrong ones with their questions, and right ones."""

import math

import numpy as np

from labsupport.authoring.catalogue import mistake, variant


def exact(fraction, momentum):
    return math.log(1 - fraction) / math.log(momentum)


@mistake(
    "rounded-down",
    "You stop one step short of the fraction",
    "After the number of steps that you return, has the fraction been reached?",
    see="lesson 02, cold start",
)
def rounded_down(fraction, momentum):
    return math.floor(exact(fraction, momentum))


@mistake(
    "one-too-few",
    "You stop one step short of the fraction",
    "After the number of steps that you return, has the fraction been reached?",
    see="tried by a reader",
)
def one_too_few(fraction, momentum):
    return math.ceil(exact(fraction, momentum)) - 1


@mistake(
    "arguments-swapped",
    "`fraction` and `momentum` have changed places",
    "In which order does the text name the arguments of `steps_to_reach`?",
    see="tried by a reader",
)
def arguments_swapped(momentum, fraction):
    return math.ceil(exact(fraction, momentum))


@mistake(
    "rounded",
    "You round to the nearest whole number, so that you sometimes stop a step short",
    "If 8.2 steps were needed, how many whole steps would be enough?",
    see="lesson 02, cold start",
)
def rounded(fraction, momentum):
    return round(exact(fraction, momentum))


@mistake(
    "not-whole",
    "You return the solution of an equation; a number of steps is a whole number",
    "If 8.2 steps were needed, how many whole steps would be enough?",
    see="lesson 02, cold start",
)
def not_whole(fraction, momentum):
    return exact(fraction, momentum)


@mistake(
    "one-too-many",
    "You return one step more than it takes",
    "What is the value of your counter after the first step, and had you counted one already?",
    see="lesson 02, cold start",
)
def one_too_many(fraction, momentum):
    return math.ceil(exact(fraction, momentum)) + 1


@mistake(
    "momentum-inverted",
    "You treat `momentum` as the weight of the new value: (1 − momentum)ⁿ is missing after n steps",
    "With momentum 0.9, how much of the way is still missing after the first step?",
    see="B18, B29",
)
def momentum_inverted(fraction, momentum):
    return math.ceil(exact(fraction, 1 - momentum))


@mistake(
    "missing-for-covered",
    "You wait until the missing part has fallen to `fraction`; the covered part should reach it",
    "When 10 % of the way is covered, how much of it is missing?",
    see="lesson 02, cold start",
)
def missing_for_covered(fraction, momentum):
    return math.ceil(math.log(fraction) / math.log(momentum))


@mistake(
    "straight-line",
    "Each of your steps covers the same distance, as if the first step's pace could be kept up",
    "The first step covers 1 − momentum of the way. Of which way does the second step cover that?",
    see="B30",
)
def straight_line(fraction, momentum):
    return math.ceil(fraction / (1 - momentum))


@mistake(
    "straight-line-not-whole",
    "You return fraction / (1 − momentum), as if every step covered as much as the first one",
    "The first step covers 1 − momentum of the way. Of which way does the second step cover that?",
    see="B30",
)
def straight_line_not_whole(fraction, momentum):
    return fraction / (1 - momentum)


@mistake(
    "rule-of-thumb",
    "You return 1 / (1 − momentum), whatever the fraction",
    "How much of the way is covered after ten steps with momentum 0.9? Is that what was asked?",
    see="B30",
)
def rule_of_thumb(fraction, momentum):
    return round(1 / (1 - momentum))


@mistake(
    "rule-of-thumb-rounded-up",
    "You return 1 / (1 − momentum), whatever the fraction",
    "How much of the way is covered after ten steps with momentum 0.9? Is that what was asked?",
    see="B30",
)
def rule_of_thumb_rounded_up(fraction, momentum):
    return math.ceil(1 / (1 - momentum))


@mistake(
    "approximate-logarithm",
    "You take 1 − momentum for −log(momentum), which holds only as momentum comes close to 1",
    "What are the two for momentum 0.8?",
    see="lesson 02, cold start",
)
def approximate_logarithm(fraction, momentum):
    return math.ceil(-math.log(1 - fraction) / (1 - momentum))


@mistake(
    "wrong-sign",
    "Your number of steps is negative",
    "What sign does the logarithm of a number below 1 have?",
    see="lesson 02, cold start",
)
def wrong_sign(fraction, momentum):
    return math.ceil(-exact(fraction, momentum))


@mistake(
    "half-life",
    "You return the steps to half of the way, whatever the fraction",
    "Where does `fraction` enter your answer?",
    see="lesson 02, cold start",
)
def half_life(fraction, momentum):
    return math.ceil(exact(0.5, momentum))


@mistake(
    "covered-part",
    "You return a part of the way, where a number of steps was asked for",
    "Which of `fraction`, `momentum` and n are given, and which is to be found?",
    see="lesson 02, cold start",
)
def covered_part(fraction, momentum):
    return 1 - momentum**fraction


@mistake(
    "more-than-the-fraction",
    "You wait for more than the fraction: where a step reaches it on the dot, you take another one",
    "With momentum 0.5 the first step covers just one half. How many steps is it to one half?",
    see="lesson 02, cold start",
)
def more_than_the_fraction(fraction, momentum):
    missing, steps = 1.0, 0
    while missing >= 1 - fraction:
        missing, steps = missing * momentum, steps + 1
    return steps


@mistake(
    "loop-ends-early",
    "You return 1,000 where it takes more steps than that",
    "How often can your loop run? How many steps are 99 % of the way with momentum 0.999?",
    see="found by an attacker",
)
def loop_ends_early(fraction, momentum):
    for steps in range(1000):
        if 1 - momentum**steps >= fraction:
            return steps
    return 1000


# ---------------------------------------------------------------- right, written otherwise


@variant("rounded up")
def rounded_up(fraction, momentum):
    return math.ceil(exact(fraction, momentum))


@variant("log1p")
def by_log1p(fraction, momentum):
    return math.ceil(math.log1p(-fraction) / math.log(momentum))


@variant("np.ceil, a float")
def by_numpy(fraction, momentum):
    return np.ceil(np.log(1 - fraction) / np.log(momentum))


@variant("np.int64")
def as_int64(fraction, momentum):
    return np.int64(np.ceil(np.log1p(-fraction) / np.log(momentum)))


@variant("an array without axes")
def as_array(fraction, momentum):
    return np.array(math.ceil(exact(fraction, momentum)))


@variant("logarithms to base 2")
def base_2(fraction, momentum):
    return int(-(-math.log2(1 - fraction) // math.log2(momentum)))


@variant("a moving average of ones")
def by_simulation(fraction, momentum):
    average, steps = 0.0, 0
    while average < fraction:
        average = momentum * average + (1 - momentum) * 1.0
        steps += 1
    return steps


@variant("counting down what is missing")
def by_missing_part(fraction, momentum):
    missing, steps = 1.0, 0
    while missing > 1 - fraction:
        missing, steps = missing * momentum, steps + 1
    return steps


@variant("all powers at once")
def by_powers(fraction, momentum):
    return np.argmax(1 - momentum ** np.arange(10_000) >= fraction)


@variant("a float32 average")
def by_float32(fraction, momentum):
    average, steps = np.float32(0), 0
    while average < fraction:
        average += np.float32(1 - momentum) * (1 - average)
        steps += 1
    return float(steps)


@variant("logarithms to base 10")
def base_10(fraction, momentum):
    return math.ceil(math.log10(1 - fraction) / math.log10(momentum))


@variant("a logarithm to base momentum")
def base_momentum(fraction, momentum):
    return math.ceil(math.log(1 - fraction, momentum))


@variant("logarithms of what grows")
def of_what_grows(fraction, momentum):
    return math.ceil(math.log(1 / (1 - fraction)) / math.log(1 / momentum))


@variant("powers, one at a time")
def one_power_at_a_time(fraction, momentum):
    steps = 0
    while 1 - momentum**steps < fraction:
        steps += 1
    return steps


@variant("what is left of the way")
def left_of_the_way(fraction, momentum):
    covered, steps = 0.0, 0
    while covered < fraction:
        covered += (1 - momentum) * (1 - covered)
        steps += 1
    return steps
