"""Checks on mailboxes: settings with which some of them do not follow the organisation."""
