
# -- ratios: numbers that grow together, divided by each other
ratios = {{pairs}}
for top, bottom in ratios:
    for rows, source in ((X, train), (X_test, test)):
        rows[f"{top}_per_{bottom}"] = source[top] / source[bottom].replace(0, np.nan)
