"""Casts of agents; each offers the Agents protocol."""
