"""Checks on what takes a test account: the sign-in, and the protocols behind it, as Outlook would speak them."""
