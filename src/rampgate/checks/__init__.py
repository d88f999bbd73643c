"""One file per check: its settings, metrics, default thresholds and its measure function.

Each module here defines ``CHECK``, each in ``sources/`` a ``SOURCE``; ``frame/`` is what they are made with.
"""
