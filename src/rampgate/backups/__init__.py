"""Backups that are proven: written whole or not at all, restored beside the data, and compared.

``files``, ``progress``, ``tools`` are shared; ``mongo_*`` and ``redis_*`` are the two stores. Each store has
a ``take`` (writes a backup) and a ``prove`` (reads it back from disk).
"""
