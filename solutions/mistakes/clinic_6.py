"""Known answers to `clinic-6`: wrong ones with their questions, and right ones."""

from labsupport.authoring.catalogue import mistake, variant
from labsupport.authoring.edits import edited


def program(*changes):
    return edited("11_clinic", "program_6", *changes)


def mended(*changes):
    return edited("11_clinic", "mended_6", *changes)


mistake(
    "not-mended",
    "All that the check sees of the program is as it was when it came",
    "Which of its lines does what your diagnosis says? If there is none, is it the right one?",
    see="F67; zhengyang-wang/Unet_3D#5",
)(("lost", program()))

mistake(
    "taken-for-still",
    "The statistics do move in training; they do not arrive",
    "What does `assignments` say of the two moving averages?",
    see="B21",
)(("still", program()))

mistake(
    "taken-for-borrowed",
    "You say that prediction uses its batch; asked one by one, this program says the same",
    "What does `one at a time` show?",
    see="C33",
)(("borrowed", program()))

mistake(
    "mended-but-misnamed",
    "The statistics moved all along",
    "What do `moving statistics` and `assignments` show of the program as it came?",
    see="B21",
)(("still", mended()))

mistake(
    "mean-only",
    "The checkpoint now holds the moving mean, and still no moving variance",
    "Which variables does a prediction with batch norm read?",
    see="B22, F67",
)(
    (
        "lost",
        program(
            (
                "tf.train.Saver(tf.trainable_variables())",
                'tf.train.Saver([v for v in tf.global_variables() if "variance" not in v.name])',
            )
        ),
    )
)

mistake(
    "predicts-with-the-batch",
    "The server now normalizes with the batch it is asked about",
    "What does it answer to a single digit?",
    see="C33",
)(
    (
        "lost",
        program(
            ("tf.placeholder_with_default(False, [])", "tf.placeholder_with_default(True, [])")
        ),
    )
)

mistake(
    "server-updates",
    "The server predicts with what it got, and moves it with every question",
    "Which operations should a server run?",
    see="B32",
)(
    (
        "lost",
        mended(
            (
                """        server, loader = start()
""",
                """        server, loader = start()
        others = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
        new_training = tf.get_default_graph().get_tensor_by_name("PlaceholderWithDefault:0")
    loaded = []
""",
            ),
            (
                "        return trainer.run([",
                """        loaded.clear()
        return trainer.run([""",
            ),
            (
                """        loader.restore(server, saver.save(trainer, f"{folder.name}/network"))
        return server.run(new_logits, {new_x: images})""",
                """        if not loaded:
            loader.restore(server, saver.save(trainer, f"{folder.name}/network"))
            loaded.append(True)
        found = server.run(new_logits, {new_x: images})
        server.run(others, {new_x: images, new_training: True})
        return found""",
            ),
        ),
    )
)

variant("all global variables by name")(
    (
        "lost",
        program(
            ("tf.train.Saver(tf.trainable_variables())", "tf.train.Saver(tf.global_variables())")
        ),
    )
)

variant("trainable variables and moving statistics")(
    (
        "lost",
        program(
            (
                "tf.train.Saver(tf.trainable_variables())",
                """tf.train.Saver(
            tf.trainable_variables() + [v for v in tf.global_variables() if "moving" in v.name]
        )""",
            )
        ),
    )
)

mistake(
    "statistics-only",
    "Now the statistics arrive, and what was learned does not",
    "Which variables does a prediction read: two of them, or more?",
    see="F67, overdone",
)(
    (
        "lost",
        program(
            (
                "tf.train.Saver(tf.trainable_variables())",
                'tf.train.Saver([v for v in tf.global_variables() if "moving" in v.name])',
            )
        ),
    )
)
