"""What an execution costs, with and without what makes it cheap: all ratios come from one run.

    python -m benchmarks.execution [--only SECTION ...] [--repeat N] [--minutes M] [--tasks DIR]

Ways that are compared take turns, so that a noisy machine is noisy for each of them. "papermill" is
papermill as it comes: its own engine, a new kernel of this interpreter for each notebook.
"""
