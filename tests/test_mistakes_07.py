from known_mistakes import *  # noqa: F403

LESSON = "07_mnist"
