"""The checklist of a migration (checker.plan.checklist) as HTML, Markdown and an Excel workbook.

Like the reports these writers print, count, sort and decide nothing.
"""
