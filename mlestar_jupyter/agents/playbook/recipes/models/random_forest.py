# Random forest: many trees on resampled rows, averaged.
#? regression
from sklearn.ensemble import RandomForestRegressor as Model
#? classification
from sklearn.ensemble import RandomForestClassifier as Model
#?
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline

trees = {{trees}}
forest = Model(n_estimators=trees, max_features={{columns_share}}, random_state=seed)
model = make_pipeline(SimpleImputer(strategy="median"), forest)
# Categories as numbers, missing ones as -1.
kinds = list(X.select_dtypes("category"))
coded, coded_test = (rows.assign(**{c: rows[c].cat.codes for c in kinds}) for rows in (X, X_test))
#? log
answers = np.log1p(y)
#? not log
answers = y
#?
# How small the leaves may be is chosen on the check rows, with a part of the trees.
trials = {}
for least in {{leaves}}:
    forest.set_params(n_estimators=trees // 5, min_samples_leaf=least)
    model.fit(coded.iloc[learn], answers[learn])
#? regression
    told = model.predict(coded.iloc[check])
#? regression l1
    trials[least] = np.abs(told - answers[check]).mean(), told
#? regression not l1
    trials[least] = np.mean((told - answers[check]) ** 2), told
#? classification
    told = model.predict_proba(coded.iloc[check])
    trials[least] = -np.log(told[np.arange(len(check)), y[check]] + 1e-3).mean(), told
#?
least = min(trials, key=lambda tried: trials[tried][0])
#? log
check_predictions["random_forest"] = np.expm1(trials[least][1])
#? not log
check_predictions["random_forest"] = trials[least][1]
#?
forest.set_params(n_estimators=trees, min_samples_leaf=least)
model.fit(coded, answers)
#? log
test_predictions["random_forest"] = np.expm1(model.predict(coded_test))
#? regression not log
test_predictions["random_forest"] = model.predict(coded_test)
#? classification
test_predictions["random_forest"] = model.predict_proba(coded_test)
#?
