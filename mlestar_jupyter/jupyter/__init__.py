"""The kernel surface: magics and what they show."""
