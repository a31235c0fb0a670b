"""Known answers to `mnist-restore`: wrong ones with their questions, and right ones."""

import json
import os
import pickle

import numpy as np

from labsupport.authoring.catalogue import mistake, variant
from labsupport.tf1 import tf


def save_all(session, path):
    tf.train.Saver().save(session, path)


def restore_all(session, path):
    tf.train.Saver().restore(session, path)


def save_trained(session, path):
    tf.train.Saver(tf.trainable_variables()).save(session, path)


def restore_trained(session, path):
    tf.train.Saver(tf.trainable_variables()).restore(session, path)


def initialize(session):
    session.run(tf.global_variables_initializer())


mistake(
    "trained-only",
    "A `Saver` of yours takes the trained variables only: the moving statistics do not come back",
    "Which variables does a prediction read that no optimizer changes?",
    see="F67",
)((save_trained, restore_trained))

mistake(
    "half-saved",
    "You save the trained variables only, and ask the file for all of them",
    "Which variables are in the file? `tf.train.list_variables(path)` lists them.",
    see="F67",
)((save_trained, restore_all))


def restore_trained_over_a_start(session, path):
    initialize(session)
    restore_trained(session, path)


mistake(
    "statistics-anew",
    "The weights come back, and the moving statistics start anew at 0 and 1",
    "After your `restore_network`, which value has each moving mean, and where did it come from?",
    see="F67",
)((save_trained, restore_trained_over_a_start))


def restore_then_initialize(session, path):
    restore_all(session, path)
    initialize(session)


mistake(
    "all-anew",
    "After your `restore_network` every variable has its initial value",
    "What writes to the variables last: the restoring, or the initializer?",
    see="F67; the initializer run after restore",
)((save_all, restore_then_initialize))


def restore_newest(session, path):
    tf.train.Saver().restore(session, tf.train.latest_checkpoint(os.path.dirname(path)))


mistake(
    "newest",
    "You restore the newest checkpoint in the folder; asked for is the one at `path`",
    "Which of two checkpoints does your function read, and what does it do with `path`?",
    see="F67; latest_checkpoint",
)((save_all, restore_newest))


KEPT = {}


def keep(session, path):
    KEPT[path] = KEPT["newest"] = session.run(tf.global_variables())
    with open(path, "wb"):
        pass


def give_back(session, path):
    for variable, value in zip(tf.global_variables(), KEPT[path], strict=True):
        variable.load(value, session)


def give_back_newest(session, path):
    give_back(session, "newest")


mistake(
    "kept-in-memory",
    "What comes back is what was saved last, and not what the files at `path` hold",
    "Where does your `restore_network` find the values after a restart of the kernel?",
    see="a dict or a list in the place of a file",
)((keep, give_back))

mistake(
    "newest-in-memory",
    "What comes back is what was saved last, whatever `path` is and whatever its files hold",
    "Where does your `restore_network` find the values after a restart of the kernel? What does "
    "it do with `path`?",
    see="one global variable in the place of a file",
)((keep, give_back_newest))


# ---------------------------------------------------------------- right, written otherwise

variant("every global variable, named")(
    (
        lambda session, path: tf.train.Saver(tf.global_variables()).save(session, path),
        lambda session, path: tf.train.Saver(tf.global_variables()).restore(session, path),
    )
)


def wanted():
    return tf.trainable_variables() + [v for v in tf.global_variables() if "moving_" in v.name]


variant("the trained ones and the moving statistics")(
    [
        lambda session, path: tf.train.Saver(wanted()).save(session, path),
        lambda session, path: tf.train.Saver(wanted()).restore(session, path),
    ]
)


def initialize_then_restore(session, path):
    initialize(session)
    restore_all(session, path)


variant("initialize first, restore afterwards")((save_all, initialize_then_restore))


def save_without_graph(session, path):
    saver = tf.train.Saver(max_to_keep=1)
    return saver.save(session, path, write_meta_graph=False, write_state=False)


variant("without the graph's description")((save_without_graph, restore_all))


def save_arrays(session, path):
    values = session.run({v.op.name: v for v in tf.global_variables()})
    np.savez(path + ".npz", **{name.replace("/", "|"): v for name, v in values.items()})


def load_arrays(session, path):
    with np.load(path + ".npz") as file:
        for variable in tf.global_variables():
            variable.load(file[variable.op.name.replace("/", "|")], session)


variant("NumPy's own format")((save_arrays, load_arrays))


def restore_with_its_graph(session, path):  # the copies share their resources with the originals
    tf.train.import_meta_graph(path + ".meta").restore(session, path)


variant("the Saver that was saved with the graph")((save_all, restore_with_its_graph))


def save_in_a_folder(session, path):
    os.makedirs(path)
    save_all(session, os.path.join(path, "network"))


def restore_from_a_folder(session, path):
    restore_all(session, os.path.join(path, "network"))


variant("a folder of its own")((save_in_a_folder, restore_from_a_folder))


SAVERS = {}


def cached_saver():
    graph = tf.get_default_graph()
    if graph not in SAVERS:
        SAVERS.clear()
        SAVERS[graph] = tf.train.Saver(max_to_keep=2)
    return SAVERS[graph]


variant("one Saver for each graph, kept")(
    (
        lambda session, path: cached_saver().save(session, path),
        lambda session, path: cached_saver().restore(session, path),
    )
)


def pickle_values(session, path):
    with open(path, "xb") as file:
        pickle.dump(session.run(tf.global_variables()), file)


def unpickle_values(session, path):
    with open(path, "rb") as file:
        for variable, value in zip(tf.global_variables(), pickle.load(file), strict=True):
            variable.load(value, session)


variant("pickled")((pickle_values, unpickle_values))


def write_json(session, path):
    with open(f"{path}.json", "w") as file:
        json.dump([v.tolist() for v in session.run(tf.global_variables())], file)


def read_json(session, path):
    with open(f"{path}.json") as file:
        for variable, value in zip(tf.global_variables(), json.load(file), strict=True):
            variable.load(np.array(value, np.float32), session)


variant("JSON")((write_json, read_json))
