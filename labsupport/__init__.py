"""Helper package of the batch normalization and dropout course.

Importing it costs milliseconds: neither NumPy, TensorFlow nor matplotlib is loaded before a name
that needs it is used.
"""

__version__ = "0.1.0"
__all__ = ["check", "environment", "hint", "needs", "progress"]


def __getattr__(name):
    if name == "environment":
        from labsupport.machine import environment

        return environment
    if name in __all__:
        from labsupport import notebook

        return getattr(notebook, name)
    raise AttributeError("module 'labsupport' has no attribute " + repr(name))


def __dir__():
    return sorted(list(globals()) + __all__)
