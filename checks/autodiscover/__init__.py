"""Checks on Autodiscover, by which Outlook learns where its mailbox is."""
