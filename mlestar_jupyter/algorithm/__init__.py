"""The algorithm: the paper's three, as plain loops over agents and one door, ``evaluate``."""
