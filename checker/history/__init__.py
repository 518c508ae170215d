"""The history: every run kept in a database, and what it tells of a new one. docs/history.md says what is in it.

    location.py     --history URL -> SqliteFile or PostgresqlServer; the password is a secret
    database.py     connections, transactions, the schema brought up to date, errors as sentences
    tables.py       the schema as it is now; migrations/ has the way to it from each older one
    store.py        keep, list, load, trend, prune
    remembering.py  an audit and its history: keeps the run and tells what differs from the last; never fails it
    showing.py      what `mapiready history` prints

SQLAlchemy and alembic (the extra "history") and pg8000 ("postgresql") are imported when a history is opened.
"""
