"""Remote PowerShell: the CLIXML reader (`clixml`) and the live session (`session`). Nothing is imported here."""
