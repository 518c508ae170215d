"""No remote PowerShell at all: what a probe has. Everything that needs it was not given to the run."""

from __future__ import annotations

from checker.answers import CmdletAnswer, CmdletCall, Keep, NotCollected, Reason

__all__ = ["NoPowerShell"]


class NoPowerShell:
    """A `checker.answers.CmdletRunner` that asks nobody."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Nothing happened."""
        return ()

    async def run(
        self,
        call: CmdletCall,  # noqa: ARG002 - whatever it is
        *,
        keep: Keep | None = None,  # noqa: ARG002
    ) -> CmdletAnswer | NotCollected:
        """Says that the input is missing, which makes findings NOT_RUN."""
        return NotCollected(Reason.NOT_GIVEN, "needs remote PowerShell, which a probe does not use (mapiready check)")

    async def close(self, grace: float) -> None:
        """There is nothing to close."""
