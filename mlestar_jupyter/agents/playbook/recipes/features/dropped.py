
# == dropped: columns that are left out
dropped = {{columns}}
X, X_test = X.drop(columns=dropped), X_test.drop(columns=dropped)
