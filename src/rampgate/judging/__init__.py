"""From the text of a threshold to a judgement, and from a journal to a verdict."""
