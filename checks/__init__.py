"""The checks: one question, one file, one id, in a folder per category. They are found by walking this package."""
