from known_mistakes import *  # noqa: F403

LESSON = "08_dropout_by_hand"
