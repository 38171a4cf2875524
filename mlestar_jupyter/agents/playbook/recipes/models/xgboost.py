# XGBoost: boosted trees that grow level by level. The check rows tell how many are enough.
#? regression
from xgboost import XGBRegressor as Model
#? classification
from xgboost import XGBClassifier as Model
#?

settings = dict(
#? regression l1
    objective="reg:absoluteerror",
#?
    n_estimators={{trees}},
    learning_rate={{rate}},
    max_depth={{depth}},
    min_child_weight={{least}},
    subsample=0.8,
    colsample_bytree=0.6,
    reg_lambda={{penalty}},
    enable_categorical=True,
    random_state=seed,
)
#? log
answers = np.log1p(y)
#? not log
answers = y
#?
model = Model(**settings, early_stopping_rounds={{patience}})
model.fit(X.iloc[learn], answers[learn], eval_set=[(X.iloc[check], answers[check])], verbose=False)
#? log
check_predictions["xgboost"] = np.expm1(model.predict(X.iloc[check]))
#? regression not log
check_predictions["xgboost"] = model.predict(X.iloc[check])
#? classification
check_predictions["xgboost"] = model.predict_proba(X.iloc[check])
#?
settings["n_estimators"] = max(10, round(1.1 * (model.best_iteration + 1)))
model = Model(**settings).fit(X, answers)
#? log
test_predictions["xgboost"] = np.expm1(model.predict(X_test))
#? regression not log
test_predictions["xgboost"] = model.predict(X_test)
#? classification
test_predictions["xgboost"] = model.predict_proba(X_test)
#?
