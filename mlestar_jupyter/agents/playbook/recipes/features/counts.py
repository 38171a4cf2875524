
# -- counts: how often each category occurs in train
for column in {{columns}}:
    often = train[column].value_counts()
    X[f"{column}_count"] = train[column].map(often).fillna(0).to_numpy(dtype=float)
    X_test[f"{column}_count"] = test[column].map(often).fillna(0).to_numpy(dtype=float)
