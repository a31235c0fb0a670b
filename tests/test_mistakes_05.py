from known_mistakes import *  # noqa: F403

LESSON = "05_batch_norm_from_tf_ops"
