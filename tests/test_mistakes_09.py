from known_mistakes import *  # noqa: F403

LESSON = "09_dropout_regression"
