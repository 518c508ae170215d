"""Checks on Exchange servers: what they are and how they do."""
