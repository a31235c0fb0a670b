from known_mistakes import *  # noqa: F403

LESSON = "02_moving_averages"
