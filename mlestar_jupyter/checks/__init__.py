"""Static checks on a solution: leakage (section 3.4 of the paper) and data usage."""
