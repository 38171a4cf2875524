"""Notebooks for people: the story of a run as it goes, the finished notebook, exports."""
