"""Sends the report by mail: over SMTP, by Microsoft Graph, or by Exchange Web Services on premises.

    settings.py   the [mail] table                       secrets.py     passwords and client secrets
    message.py    what is sent, as MIME                  problems.py    what went wrong, told by codes
    smtp.py, graph.py, ews.py   the ways                 tokens.py      OAuth 2.0 client credentials
    sending.py    when, what, and how it ended           connecting.py  TLS, and a bound on everything

A mail that cannot be sent costs no report and no exit code: it becomes a sentence.
"""

from checker.mail.sending import MailOutcome, send_report, send_test
from checker.mail.settings import MailSettings, read_mail

__all__ = ["MailOutcome", "MailSettings", "read_mail", "send_report", "send_test"]
