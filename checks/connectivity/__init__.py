"""Checks on what Exchange's own probes say."""
