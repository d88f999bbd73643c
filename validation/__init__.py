"""Checks that read as the runbook."""
