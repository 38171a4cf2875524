
# -- group_gaps: how far a number lies from the mean of its category
for category in {{categories}}:
    for number in {{numbers}}:
        usual = train.groupby(category)[number].mean()
        X[f"{number}_beside_{category}"] = train[number] - train[category].map(usual).astype(float)
        X_test[f"{number}_beside_{category}"] = test[number] - test[category].map(usual).astype(float)
