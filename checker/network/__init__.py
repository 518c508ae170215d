"""Looks at hosts over the network: DNS, TCP, TLS and HTTP, each answer turned into `checker.answers` at this edge."""
