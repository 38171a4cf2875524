
# -- logs: logarithms of numbers with a long tail
for column in {{columns}}:
    smallest = train[column].min()
    for rows, source in ((X, train), (X_test, test)):
        rows[f"{column}_log"] = np.log1p((source[column] - smallest).clip(lower=0))
