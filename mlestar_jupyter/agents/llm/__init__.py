"""MLE-STAR as in the paper: a language model in each role."""
