
# -- drift: numbers that only tell the time say nothing about later rows
clock = pd.Series(np.argsort(order), index=X.index)
some = X.select_dtypes("number").sample(min(len(X), 5_000), random_state=seed)
ranks = some.rank().corrwith(clock[some.index].rank()).abs()
drifting = list(ranks.index[ranks > 0.95])
X, X_test = X.drop(columns=drifting), X_test.drop(columns=drifting)
