from known_mistakes import *  # noqa: F403

LESSON = "00_start_here"
