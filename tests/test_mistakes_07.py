from known_mistakes import *  # noqa: F403

LESSON = "07_mnist"


def test_what_is_kept_in_memory_is_not_saved():
    from labsupport import exercises
    from labsupport.observe import observe
    from labsupport.tf1 import tf

    kept = {}

    def save(session, path):
        kept[path] = session.run(tf.global_variables())

    def restore(session, path):
        for variable, value in zip(tf.global_variables(), kept[path], strict=True):
            variable.load(value, session)

    exercise = exercises.find("mnist-restore")
    seen = observe(exercise, (save, restore), exercise.visible_cases())
    assert all("leaves no file" in one.trouble.text for one in seen.values())
