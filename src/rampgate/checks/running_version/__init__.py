"""Where an answer says which version it comes from; the check of it is checks/version.py."""
