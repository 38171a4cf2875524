# Random forest: many trees on resampled rows, averaged.
#? regression
from sklearn.ensemble import RandomForestRegressor as Model
#? classification
from sklearn.ensemble import RandomForestClassifier as Model
#?
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline

trees = {{trees}}
forest = Model(
    n_estimators=trees // 3,
    max_features={{columns_share}},
    min_samples_leaf={{least}},
    random_state=seed,
)
model = make_pipeline(SimpleImputer(strategy="median"), forest)
# Categories as numbers, missing ones as -1.
kinds = list(X.select_dtypes("category"))
coded, coded_test = (rows.assign(**{c: rows[c].cat.codes for c in kinds}) for rows in (X, X_test))
#? log
answers = np.log1p(y)
#? not log
answers = y
#?
# A third of the trees is enough to see what the forest is worth on the check rows.
model.fit(coded.iloc[learn], answers[learn])
#? log
check_predictions["random_forest"] = np.expm1(model.predict(coded.iloc[check]))
forest.set_params(n_estimators=trees)
model.fit(coded, answers)
test_predictions["random_forest"] = np.expm1(model.predict(coded_test))
#? regression not log
check_predictions["random_forest"] = model.predict(coded.iloc[check])
forest.set_params(n_estimators=trees)
model.fit(coded, answers)
test_predictions["random_forest"] = model.predict(coded_test)
#? classification
check_predictions["random_forest"] = model.predict_proba(coded.iloc[check])
forest.set_params(n_estimators=trees)
model.fit(coded, answers)
test_predictions["random_forest"] = model.predict_proba(coded_test)
#?
