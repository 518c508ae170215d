"""Checks on the certificates that clients are served with by name."""
