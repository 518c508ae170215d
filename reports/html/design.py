"""What the pages share: the look, the policy that allows exactly it, and how a value gets into a page.

The design is the page.css, page.js and *.html.j2 of this folder. Style and script are put into the page when it is
rendered, and the policy allows exactly these, by their hash. Every value that a template prints goes through `visible`
and autoescape; only what `breakable`, `command`, `lines`, `details` and `inline` return is taken as it is.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from urllib.parse import quote

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from checker.quoting import powershell_words
from checker.results import Advice, Category, Cmdlet, Finding, Severity, Status
from reports.text import EVIDENCE_LIMIT, duration, visible
from reports.view import subject_text

__all__ = ["CATEGORY_WORDS", "SEVERITY_WORDS", "STATUS_WORDS", "frame", "template"]

_COMMAND_LIMIT = 20_000
STATUS_WORDS = {
    Status.FAIL: "Failed",
    Status.ERROR: "Error",
    Status.UNKNOWN: "Unknown",
    Status.ACCEPTED: "Accepted",
    Status.NOT_RUN: "Not run",
    Status.PASS: "Passed",
    Status.NOT_APPLICABLE: "Not applicable",
}
SEVERITY_WORDS = {Severity.BLOCKER: "Blocker", Severity.WARNING: "Warning", Severity.ADVICE: "Advice"}
CATEGORY_WORDS = {
    Category.ORGANISATION: "Organisation",
    Category.SERVERS: "Servers",
    Category.VIRTUAL_DIRECTORIES: "Virtual directories",
    Category.OUTLOOK_ANYWHERE: "Outlook Anywhere",
    Category.NAMES: "Names",
    Category.CERTIFICATES: "Certificates",
    Category.ENDPOINTS: "Endpoints",
    Category.SIGN_IN: "Sign-in",
    Category.AUTODISCOVER: "Autodiscover",
    Category.CONNECTIVITY: "Connectivity",
    Category.MAILBOXES: "Mailboxes",
    Category.HOST: "Host",
    Category.CLIENTS: "Clients",
    Category.OTHER: "Other",
}
_ICON_COLOURS = {"good": "#1a7037", "bad": "#b3261e", "open": "#6b3fa0", "quiet": "#525c69"}


def frame(tone: str, *, scripted: bool) -> dict[str, object]:
    """What the head of a page needs, by the names that the templates have for it."""
    style = _inline("page.css")
    script = _inline("page.js") if scripted else Markup()
    return {"tone": tone, "icon": _icon(tone), "style": style, "script": script, "policy": _policy(style, script)}


# --- what may stand in a page as it is --------------------------------------------------------------------------------


def _command(step: Cmdlet) -> Markup:
    """The command, escaped and never changed: what is copied must be what was meant. Quoting has made it harmless."""
    words = powershell_words(step)
    length = sum(map(len, words))
    if length > _COMMAND_LIMIT:
        return escape(f"# {step.name}: too long to be shown ({length:,} characters); the JSON report has it")
    # A span each, because a browser would break a line after the hyphen of "-Identity".
    return Markup(" ").join(Markup("<span>{}</span>").format(word) for word in words)


def _breakable(name: str) -> Markup:
    """A name that a narrow column breaks before its dots rather than anywhere."""
    return Markup("<wbr>.").join(visible(name).split("."))


def _lines(text: str) -> Markup:
    """Evidence: line breaks stay."""
    return escape(visible(text, limit=EVIDENCE_LIMIT, lines=True))


def _details(finding: Finding) -> Markup:
    """What stands behind a finding that needs no action, as one text: a long report has thousands of these."""
    parts = [("found", value) for value in finding.found]
    parts += [("expected", value) for value in finding.expected]
    parts += finding.evidence
    return Markup("\n").join(
        Markup("{}{}{}").format(visible(name), ":\n" if "\n" in value else ": ", _lines(value)) for name, value in parts
    )


@cache
def _inline(name: str) -> Markup:
    """A source file of the design, which holds nothing that could end its element."""
    text = files(__package__).joinpath(name).read_text(encoding="utf-8").replace("\r\n", "\n")
    if "</" in text or "<!--" in text:
        raise ValueError(f"{name} must not hold '</' or '<!--', which could end the element that it is put into.")
    return Markup(text)  # noqa: S704 - our own file, checked above


def _policy(style: str, script: str) -> str:
    def allowed(text: str) -> str:
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        return f"'sha256-{digest}'"

    scripts = f"script-src {allowed(script)}; " if script else ""
    return (
        f"default-src 'none'; style-src {allowed(style)}; {scripts}img-src data:; base-uri 'none'; form-action 'none'"
    )


def _icon(tone: str) -> str:
    drawing = (
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>"
        f"<circle cx='8' cy='8' r='7' fill='{_ICON_COLOURS[tone]}'/></svg>"
    )
    return "data:image/svg+xml," + quote(drawing)


def _finalised(value: object) -> object:
    """Jinja calls this with every value that it prints."""
    return value if isinstance(value, Markup) or not isinstance(value, str) else visible(value)


@cache
def template(name: str) -> Template:
    """A template of this folder."""
    return _environment().get_template(name)


@cache
def _environment() -> Environment:
    def load(name: str) -> str:
        return files(__package__).joinpath(name).read_text(encoding="utf-8")

    environment = Environment(
        autoescape=True,
        finalize=_finalised,
        loader=FunctionLoader(load),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update({
        "breakable": _breakable,
        "command": _command,
        "evidence": _lines,
        "details": _details,
        "subject": subject_text,
        "duration": duration,
        "is_advice": lambda step: isinstance(step, Advice),
        "status_word": STATUS_WORDS.__getitem__,
        "https": lambda sources: [source for source in sources if source.startswith("https://")],
    })  # fmt: skip
    return environment
