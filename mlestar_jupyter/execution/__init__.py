"""Execution: each solution is run by papermill in a kernel of its own, within limits."""
