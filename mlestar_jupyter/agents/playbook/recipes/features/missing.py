
# -- missing: how many values a row lacks, and which
gaps = [column for column in train.columns if train[column].isna().mean() > 0.02]
for rows, source in ((X, train), (X_test, test)):
    rows["missing_values"] = source[gaps].isna().sum(axis=1)
    for column in gaps:
        rows[f"{column}_missing"] = source[column].isna().astype(int)
