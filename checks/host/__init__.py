"""Questions that only the hosts of the servers can answer, from exports."""
