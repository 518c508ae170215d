"""The plan of a migration, made from a report: scripts that enable and roll back, registry files, and a checklist.

    report.json ─▶ Report ─┬─▶ Plan ──────▶ enable.ps1, rollback.ps1
                           ├─▶ Checklist ─▶ checklist.html, .md, .xlsx     ◀─ checklist.toml (kept by hand)
                           └─────────────▶ MapiHttpDisabled-1.reg, -0.reg, README.txt

`checker.plan.folder.plan_report` makes it all. Nothing here runs what it writes.
"""
