
# -- row_statistics: what the numbers of one row are like, all together
numbers = {{columns}}
centre, scale = train[numbers].median(), train[numbers].std().replace(0, 1)
for rows, source in ((X, train), (X_test, test)):
    scaled = (source[numbers] - centre) / scale
    rows["row_mean"], rows["row_std"] = scaled.mean(axis=1), scaled.std(axis=1)
    rows["row_max"], rows["row_min"] = scaled.max(axis=1), scaled.min(axis=1)
    rows["row_zeros"] = (source[numbers] == 0).sum(axis=1)
