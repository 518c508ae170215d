"""Checks on the organisation's own settings."""
