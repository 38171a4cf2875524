# Features. Each part adds columns to X and X_test alike and learns from train only.
X, X_test = train.copy(), test.copy()
