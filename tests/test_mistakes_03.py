from known_mistakes import *  # noqa: F403

LESSON = "03_backpropagation"
