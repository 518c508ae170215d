"""Checks on the names in use: whether clients find what stands behind them."""
