"""Checks on MAPI virtual directories: whether they are there, their URLs, their ways to sign in."""
