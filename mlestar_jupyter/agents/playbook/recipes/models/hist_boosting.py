# Histogram gradient boosting of scikit-learn: missing values and categories as they are.
#? regression
from sklearn.ensemble import HistGradientBoostingRegressor as Model
#? classification
from sklearn.ensemble import HistGradientBoostingClassifier as Model
#?

settings = dict(
#? regression l1
    loss="absolute_error",
#?
    max_iter={{trees}},
    learning_rate={{rate}},
    max_leaf_nodes={{leaves}},
    min_samples_leaf={{least}},
    l2_regularization={{penalty}},
    max_features=0.6,
    categorical_features="from_dtype",
    random_state=seed,
)
#? log
answers = np.log1p(y)
#? not log
answers = y
#?
model = Model(**settings, early_stopping=True, n_iter_no_change=20, validation_fraction=0.15)
model.fit(X.iloc[learn], answers[learn])
#? log
check_predictions["hist_boosting"] = np.expm1(model.predict(X.iloc[check]))
#? regression not log
check_predictions["hist_boosting"] = model.predict(X.iloc[check])
#? classification
check_predictions["hist_boosting"] = model.predict_proba(X.iloc[check])
#?
settings["max_iter"] = max(10, round(1.1 * model.n_iter_))
model = Model(**settings, early_stopping=False).fit(X, answers)
#? log
test_predictions["hist_boosting"] = np.expm1(model.predict(X_test))
#? regression not log
test_predictions["hist_boosting"] = model.predict(X_test)
#? classification
test_predictions["hist_boosting"] = model.predict_proba(X_test)
#?
