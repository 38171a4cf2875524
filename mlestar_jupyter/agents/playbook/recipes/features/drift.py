
# -- drift: numbers that only tell the time say nothing about later rows
clock = pd.Series(np.argsort(order), index=X.index)
ranks = X.select_dtypes("number").rank().corrwith(clock).abs()
drifting = list(ranks.index[ranks > 0.95])
X, X_test = X.drop(columns=drifting), X_test.drop(columns=drifting)
