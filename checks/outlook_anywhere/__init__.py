"""Checks on Outlook Anywhere: the way back from MAPI over HTTP, and the only one for mailboxes on Exchange 2010."""
