from known_mistakes import *  # noqa: F403

LESSON = "06_update_ops"
