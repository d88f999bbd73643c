"""How a flag service is asked, and what its answers come to; the check of it is checks/flags.py."""
