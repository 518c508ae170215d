"""Real reverse proxies as subprocesses on loopback, in front of the web sites of a lab."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.organisation import RunningLab

__all__ = ["Front", "back_ends", "haproxy", "nginx", "through"]

_SECONDS_TO_END = 10
_BEGINNING_OF_NGINX = """
daemon off;
user root;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream exchange {{
        ip_hash;
        {servers}
        keepalive 8;
    }}
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {certificate};
        ssl_certificate_key {certificate};
        proxy_ssl_verify off;
"""
_BEGINNING_OF_HAPROXY = """
defaults
    mode {mode}
    timeout connect 5s
    timeout client 30s
    timeout server 30s
"""
_BY_CLIENT = ("balance source", "option http-keep-alive", "option prefer-last-server")


@dataclass(frozen=True)
class Front:
    """What a proxy stands in front of: (name, port) of each server, and the PEM that the proxy serves."""

    folder: Path
    servers: tuple[tuple[str, int], ...]
    certificate: Path


def back_ends(lab: RunningLab) -> tuple[tuple[str, int], ...]:
    """Where the web sites of the servers listen."""
    entries = [entry.split(":") for entry in lab.resolve]
    ports = {host: int(port) for host, nominal, _, port in entries if nominal == "443"}
    return tuple((server.name, ports[server.fqdn]) for server in lab.scenario.servers if server.answers_clients)


def through(lab: RunningLab, host: str, port: int) -> list[str]:
    """The lab's --resolve entries, with a proxy in front of one name."""
    kept = [entry for entry in lab.resolve if not entry.startswith(f"{host}:443:")]
    return [*kept, f"{host}:443:127.0.0.1:{port}"]


@contextmanager
def nginx(front: Front, locations: str) -> Iterator[int]:
    """Runs nginx with these locations; gives its port."""
    with _listening() as listener:
        port = listener.getsockname()[1]
        servers = "\n".join(f"server 127.0.0.1:{port};" for _, port in front.servers)
        beginning = _BEGINNING_OF_NGINX.format(
            folder=front.folder, servers=servers, port=port, certificate=front.certificate
        )
        config = front.folder / "nginx.conf"
        config.write_text(f"{beginning}{locations}\n    }}\n}}\n", encoding="ascii")
        # nginx takes over a socket that is named so, as it does when it is replaced by a newer nginx.
        environment = {"NGINX": f"{listener.fileno()};"}
        command = [_installed("nginx"), "-p", str(front.folder), "-c", str(config), "-e", "stderr"]
        with _running(command, listener, environment):
            yield port


@contextmanager
def haproxy(
    front: Front, rules: str = "", *, mode: str = "http", balancing: Sequence[str] = _BY_CLIENT
) -> Iterator[int]:
    """Runs HAProxy with these rules in its front end; gives its port. In mode tcp it passes TLS on."""
    with _listening() as listener:
        ends_tls = mode == "http"
        listens = f"bind fd@{listener.fileno()}" + (f" ssl crt {front.certificate} alpn http/1.1" if ends_tls else "")
        to = " ssl verify none" if ends_tls else ""
        lines = [_BEGINNING_OF_HAPROXY.format(mode=mode), "frontend https", f"    {listens}"]
        lines += [f"    {line.strip()}" for line in rules.strip().splitlines()]
        lines += ["    default_backend exchange", "backend exchange"]
        lines += [f"    {line}" for line in balancing if ends_tls or line.startswith("balance")]
        lines += [f"    server {name} 127.0.0.1:{port}{to}" for name, port in front.servers]
        config = front.folder / "haproxy.cfg"
        config.write_text("\n".join([*lines, ""]), encoding="ascii")
        with _running([_installed("haproxy"), "-db", "-f", str(config)], listener, {}):
            yield listener.getsockname()[1]


@contextmanager
def _listening() -> Iterator[socket.socket]:
    """A socket that listens already, so that nobody has to wait until its proxy is up."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        yield listener


@contextmanager
def _running(command: Sequence[str], listener: socket.socket, environment: dict[str, str]) -> Iterator[None]:
    with subprocess.Popen(
        command,
        pass_fds=(listener.fileno(),),
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield
            assert process.poll() is None, f"{command[0]} ended by itself"
        finally:
            process.terminate()
            try:
                _, said = process.communicate(timeout=_SECONDS_TO_END)
            except subprocess.TimeoutExpired:
                process.kill()
                _, said = process.communicate()
            print(said)  # pytest shows it when the test fails


def _installed(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{name} is not installed, and CI must have it.")
        pytest.skip(f"{name} is not installed")
    return found
