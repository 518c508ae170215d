"""Answers as they look on the wire: those of IIS and HTTP.sys, and those of the proxies and login pages in front.

The texts are the products' own default pages (IIS 10, HTTP.sys, nginx, HAProxy), shortened where nobody looks.
"""

from __future__ import annotations

from lab.misbehaviour import bomb, cut, endless, hang, trickle
from lab.scenario import Page, Raw, Rule
from lab.web import DROPPED, Request, Response

__all__ = ["IIS_404", "answer", "concerns", "matches"]

_HTML = ("Content-Type", "text/html")

IIS_404 = Response(
    404,
    "Not Found",
    (_HTML, ("Server", "Microsoft-IIS/10.0"), ("X-Powered-By", "ASP.NET")),
    b'<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">\r\n'
    b'<html xmlns="http://www.w3.org/1999/xhtml">\r\n<head>\r\n'
    b"<title>404 - File or directory not found.</title>\r\n</head>\r\n<body>\r\n"
    b'<div id="header"><h1>Server Error</h1></div>\r\n<div id="content"><h2>404 - File or directory not found.</h2>\r\n'
    b"<h3>The resource you are looking for might have been removed, had its name changed, or is temporarily "
    b"unavailable.</h3></div>\r\n</body>\r\n</html>\r\n",
)

_HTTPSYS_503 = Response(
    503,
    "Service Unavailable",
    (("Content-Type", "text/html; charset=us-ascii"), ("Server", "Microsoft-HTTPAPI/2.0")),
    b'<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01//EN""http://www.w3.org/TR/html4/strict.dtd">\r\n'
    b"<HTML><HEAD><TITLE>Service Unavailable</TITLE>\r\n"
    b'<META HTTP-EQUIV="Content-Type" Content="text/html; charset=us-ascii"></HEAD>\r\n'
    b"<BODY><h2>Service Unavailable</h2>\r\n<hr><p>HTTP Error 503. The service is unavailable.</p>\r\n"
    b"</BODY></HTML>\r\n",
    close=True,
)

_HTTPSYS_404 = Response(
    404,
    "Not Found",
    (("Content-Type", "text/html; charset=us-ascii"), ("Server", "Microsoft-HTTPAPI/2.0")),
    b'<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01//EN""http://www.w3.org/TR/html4/strict.dtd">\r\n'
    b"<HTML><HEAD><TITLE>Not Found</TITLE></HEAD>\r\n"
    b"<BODY><h2>Not Found</h2>\r\n<hr><p>HTTP Error 404. The requested resource is not found.</p>\r\n"
    b"</BODY></HTML>\r\n",
    close=True,
)

_HAPROXY_503 = Response(
    503,
    "Service Unavailable",
    (("Cache-Control", "no-cache"), _HTML),
    b"<html><body><h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n</body></html>\n",
    close=True,
)

_IIS_START_PAGE = Response(
    200,
    "OK",
    (_HTML, ("Server", "Microsoft-IIS/10.0")),
    b"<!DOCTYPE html>\r\n<html><head><title>IIS Windows Server</title></head><body>"
    b'<a href="http://go.microsoft.com/fwlink/?linkid=66138"><img src="iisstart.png" alt="IIS"></a></body></html>\r\n',
)

_LOGIN_FORM = (
    b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>\n"
    b'<form method="post" action="/login"><label>User <input name="username"></label>\n'
    b'<label>Password <input type="password" name="password"></label><button>Sign in</button></form>\n</body></html>\n'
)


def _nginx(status: int, reason: str) -> Response:
    text = f"{status} {reason}"
    body = (
        f"<html>\r\n<head><title>{text}</title></head>\r\n<body>\r\n<center><h1>{text}</h1></center>\r\n"
        "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    )
    return Response(status, reason, (("Server", "nginx"), _HTML), body.encode())


def concerns(rule: Rule, request: Request, *, signed_in: bool = False) -> bool:
    """Whether a rule is for this request. What needs somebody signed in is only for those, and the rest for all."""
    method = not rule.methods or request.method in rule.methods
    return method and rule.signed_in is signed_in and matches(request.path, rule.path)


def matches(path: str, rule: str) -> bool:
    """Whether a path is the rule's, or below it; IIS and most proxies of Exchange look without regard to case."""
    path, rule = path.casefold(), rule.casefold().rstrip("/")
    return path == rule or path.startswith(f"{rule}/")


def _iis(status: int, reason: str, text: str) -> Response:
    body = (
        '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" '
        '"http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">\r\n<html xmlns="http://www.w3.org/1999/xhtml">\r\n'
        f"<head>\r\n<title>{status} - {text}</title>\r\n</head>\r\n<body>\r\n"
        f'<div id="header"><h1>Server Error</h1></div>\r\n<h2>{status} - {text}</h2>\r\n</body>\r\n</html>\r\n'
    )
    headers = (_HTML, ("Server", "Microsoft-IIS/10.0"), ("X-Powered-By", "ASP.NET"))
    return Response(status, reason, headers, body.encode())


def _exchange(status: int, reason: str, where: str) -> Response:
    """As the proxy modules of Exchange answer, with the words of who failed."""
    headers = (
        ("request-id", "3f6b8a52-7a0e-4d0c-9d4e-2f6a5f0c8f11"),
        ("X-FailureContext", f"{where};{status};;;;"),
        ("X-OWA-Version", "15.2.2562.37"),
        *_iis(status, reason, reason).headers,
        ("X-FEServer", "EX01"),
    )
    return Response(status, reason, headers, b"" if status == 403 else reason.encode())


def _raw(headers: str, body: bytes = b"") -> bytes:
    return f"HTTP/1.1 200 OK\r\nServer: Microsoft-IIS/10.0\r\n{headers}\r\n".encode() + body


_HEALTHY = b"200 OK<br/>EX01.CONTOSO.TEST"
_SIZED = f"Content-Type: text/html\r\nContent-Length: {len(_HEALTHY)}\r\n"
_SECONDS_PER_BYTE = 0.2


def answer(page: Page | Raw, request: Request) -> Response:
    """The page as an answer to a request."""
    host = request.first("host") or "localhost"
    match page:
        case Raw(data):
            return Response(0, "", stream=cut(data))
        case Page.HANG:
            return Response(0, "", stream=hang())
        case Page.TRICKLED_HEAD:
            return Response(0, "", stream=trickle(b"", _raw(_SIZED, _HEALTHY), _SECONDS_PER_BYTE))
        case Page.TRICKLED_BODY:
            body = _HEALTHY.rjust(1000)
            head = _raw(f"Content-Length: {len(body)}\r\n")
            return Response(0, "", stream=trickle(head, body, _SECONDS_PER_BYTE))
        case Page.TRUNCATED:
            return Response(0, "", stream=cut(_raw(_SIZED, _HEALTHY[:-9])))
        case Page.NOT_HTTP:
            return Response(0, "", stream=cut(b"220 mail.contoso.test ESMTP \xff\x00\r\n" * 20))
        case Page.ENDLESS_HEAD:
            return Response(0, "", stream=endless(b"HTTP/1.1 200 OK\r\n", b"X-More: and more\r\n" * 500))
        case Page.ENDLESS_BODY:
            return Response(0, "", stream=endless(_raw(""), b"and more " * 2000))
        case Page.GZIP_BOMB:
            return Response(0, "", stream=bomb(_raw("Content-Encoding: gzip\r\nContent-Type: text/html\r\n")))
        case Page.IIS_403:
            return _iis(403, "Forbidden", "Forbidden: Access is denied.")
        case Page.IIS_500:
            return _iis(500, "Internal Server Error", "Internal server error.")
        case Page.HTTPSYS_404:
            return _HTTPSYS_404
        case Page.EXCHANGE_403:
            return _exchange(403, "Forbidden", "FrontEnd")
        case Page.EXCHANGE_404:
            return _exchange(404, "Not Found", "FrontEnd")
        case Page.EXCHANGE_500:
            return _exchange(500, "Internal Server Error", "BackEnd")
        case Page.EXCHANGE_503:
            return _exchange(503, "Service Unavailable", "FrontEnd")
        case Page.NGINX_500:
            return _nginx(500, "Internal Server Error")
        case Page.IIS_404:
            return IIS_404
        case Page.HTTPSYS_503:
            return _HTTPSYS_503
        case Page.NGINX_403:
            return _nginx(403, "Forbidden")
        case Page.NGINX_404:
            return _nginx(404, "Not Found")
        case Page.NGINX_405:
            return _nginx(405, "Not Allowed")
        case Page.HAPROXY_503:
            return _HAPROXY_503
        case Page.LOGIN_REDIRECT:
            return Response(302, "Found", (("Location", f"https://{host}/login"), _HTML))
        case Page.LOGIN_PAGE:
            return Response(200, "OK", (_HTML, ("Cache-Control", "no-store")), _LOGIN_FORM)
        case Page.BASIC_ONLY:
            return Response(401, "Unauthorized", (("WWW-Authenticate", f'Basic realm="{host}"'), ("Server", "proxy")))
        case Page.IIS_START_PAGE:
            return _IIS_START_PAGE
        case Page.EMPTY_200:
            return Response(200, "OK", (("Server", "Microsoft-IIS/10.0"),))
        case Page.DROPPED:
            return DROPPED
