from known_mistakes import *  # noqa: F403

LESSON = "01_batch_norm_by_hand"
