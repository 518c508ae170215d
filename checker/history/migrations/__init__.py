"""The way from each older schema to the one of `checker.history.tables`; run by `checker.history.database`."""
