from known_mistakes import *  # noqa: F403

LESSON = "10_today"
