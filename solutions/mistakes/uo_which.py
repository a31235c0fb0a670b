"""Known answers to `uo-which`: wrong ones with their questions, and right ones."""

import re

from labsupport.authoring.catalogue import mistake, variant
from labsupport.tf1 import tf

UPDATE_OPS = tf.GraphKeys.UPDATE_OPS


@mistake(
    "unfiltered",
    "You return the updates of every network in the graph",
    "Training one network should not ask for the other one's data. Whose updates do you return?",
    see="F64",
)
def unfiltered(scope):
    return tf.get_collection(UPDATE_OPS)


@mistake(
    "starts-alike",
    "You also return the updates of scopes whose names only begin like this one",
    "`net_2/…` starts with `net` too. What do the names in the scope `net` start with, exactly?",
    see="AYLIEN/gan-intro#3",
)
def starts_alike(scope):
    return tf.get_collection(UPDATE_OPS, scope=scope)


@mistake(
    "contains",
    "You look for the name anywhere in the op's name, and it may stand inside another one",
    "Is `net` in `old_net/…`? Where in the name must the scope stand?",
    see="own",
)
def contains(scope):
    return [op for op in tf.get_collection(UPDATE_OPS) if scope in op.name]


@mistake(
    "contains-with-slash",
    "You look for the name and a slash anywhere in the op's name, and that may end another name",
    "Is `net/` in `old_net/…`? Where in the name must the scope stand?",
    see="own",
)
def contains_with_slash(scope):
    return [op for op in tf.get_collection(UPDATE_OPS) if f"{scope}/" in op.name]


@mistake(
    "first-name-only",
    "You compare the first name with the whole scope, and scopes may be nested",
    "What is `op.name.split('/')[0]` for an op in the scope `gan/net`?",
    see="own",
)
def first_name_only(scope):
    return [op for op in tf.get_collection(UPDATE_OPS) if op.name.split("/")[0] == scope]


@mistake(
    "moves-nothing",
    "Running what you return moves none of this network's statistics",
    "Print the list that you return: is anything in it, and is it ops that change a variable?",
    see="own",
)
def moves_nothing(scope):
    return tf.get_collection(tf.GraphKeys.GLOBAL_VARIABLES, scope=f"{scope}/")


@mistake(
    "by-variable",
    "You pick the ops by the variable that they change, and a second call changes the same one",
    "Two inputs go through the network `net`: whose ops are in `net_1/…`, and what are their "
    "variables called?",
    see="F65",
)
def by_variable(scope):
    return [
        op
        for op in tf.get_collection(UPDATE_OPS)
        if any(source.name.startswith(f"{scope}/") for source in op.inputs)
    ]


@mistake(
    "last-two",
    "You return the last two updates of the collection, whosever they are",
    "In which order do updates come into the collection, and how many does a network have?",
    see="own",
)
def last_two(scope):
    return tf.get_collection(UPDATE_OPS)[-2:]


@mistake(
    "two-at-most",
    "You return two updates at most, and a network may have several batch norms",
    "How many ops does each batch norm put into the collection?",
    see="own",
)
def two_at_most(scope):
    return tf.get_collection(UPDATE_OPS, scope=f"{scope}/")[:2]


@mistake(
    "means-only",
    "Half of the network's updates are missing: only one per batch norm is there",
    "What does the second op of each batch norm update?",
    see="B22",
)
def means_only(scope):
    return tf.get_collection(UPDATE_OPS, scope=f"{scope}/")[::2]


# ---------------------------------------------------------------- right, written otherwise


@variant("startswith and a slash")
def startswith(scope):
    return [op for op in tf.get_collection(UPDATE_OPS) if op.name.startswith(f"{scope}/")]


@variant("a regular expression")
def regular(scope):
    pattern = re.compile(re.escape(scope) + "/")
    return tuple(filter(lambda op: pattern.match(op.name), tf.get_collection(UPDATE_OPS)))


@variant("grouped into one op")
def grouped(scope):
    return tf.group(*tf.get_collection(UPDATE_OPS, scope=scope + "/"))


@variant("by the parts of the name")
def by_parts(scope):
    wanted = scope.split("/")
    return [
        op for op in tf.get_collection(UPDATE_OPS) if op.name.split("/")[: len(wanted)] == wanted
    ]
