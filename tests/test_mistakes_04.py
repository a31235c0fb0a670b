from known_mistakes import *  # noqa: F403

LESSON = "04_control_dependencies"
