
# == table: numbers, and the frequent categories of train; what is left of dates and words goes
most_categories = 100
for column in [c for c in X.columns if not pd.api.types.is_numeric_dtype(X[c])]:
    values, values_test = X[column].astype("string"), X_test[column].astype("string")
    if values.nunique() > 0.5 * len(values):
        X = X.drop(columns=column)  # nearly every row has a value of its own
        continue
    frequent = pd.CategoricalDtype(sorted(values.value_counts().index[:most_categories]))
    known, known_test = values.isin(frequent.categories), values_test.isin(frequent.categories)
    X[column] = values.where(known).astype(frequent)
    X_test[column] = values_test.where(known_test).astype(frequent)
#? not images
X = X.loc[:, X.nunique() > 1]
#?
X_test = X_test[X.columns]
#? plain_names
# Some libraries refuse names with brackets, quotes or commas.
plain = ["".join(letter if letter.isalnum() else "_" for letter in str(name)) for name in X.columns]
X.columns = X_test.columns = [f"{name}_{number}" for number, name in enumerate(plain)]
#?
