"""The reference deployment: a small clinic application with feature flags and fault switches."""

__version__ = "1.0.0"
