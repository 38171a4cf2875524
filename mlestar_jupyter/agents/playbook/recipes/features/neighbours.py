
# -- neighbours: the mean target of the nearest places, cross-fitted over the inner folds
#? regression
from sklearn.neighbors import KNeighborsRegressor
#? classification
from sklearn.neighbors import KNeighborsClassifier
#?

nearest = 10
place = [{{latitude}}, {{longitude}}]
where = train[place].fillna(train[place].median()).to_numpy()
where_test = test[place].fillna(train[place].median()).to_numpy()
#? regression
known = np.zeros((len(train), 1))
for rest, part in folds:
    near = KNeighborsRegressor(nearest, weights="distance").fit(where[rest], y[rest])
    known[part, 0] = near.predict(where[part])
near = KNeighborsRegressor(nearest, weights="distance").fit(where, y)
known_test = near.predict(where_test).reshape(-1, 1)
#? classification
known = np.zeros((len(train), len(classes)))
for rest, part in folds:
    near = KNeighborsClassifier(nearest, weights="distance").fit(where[rest], y[rest])
    known[np.ix_(part, near.classes_)] = near.predict_proba(where[part])
near = KNeighborsClassifier(nearest, weights="distance").fit(where, y)
known_test = near.predict_proba(where_test)
#?
names = [f"neighbours_{number}" for number in range(known.shape[1])]
X[names], X_test[names] = known, known_test
