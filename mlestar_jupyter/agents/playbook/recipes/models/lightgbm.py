# LightGBM: boosted trees that grow leaf by leaf. The check rows tell how many trees are enough;
# then all rows are used with that number.
#? regression
from lightgbm import LGBMRegressor as Model
#? classification
from lightgbm import LGBMClassifier as Model
#?
from lightgbm import early_stopping

settings = dict(
#? regression l1
    objective="l1",
#?
    n_estimators={{trees}},
    learning_rate={{rate}},
    num_leaves={{leaves}},
    min_child_samples={{least}},
    subsample=0.8,
    subsample_freq=1,
    colsample_bytree=0.6,
    reg_lambda={{penalty}},
    random_state=seed,
    verbose=-1,
)
#? log
answers = np.log1p(y)
#? not log
answers = y
#?
model = Model(**settings)
model.fit(
    X.iloc[learn],
    answers[learn],
    eval_set=[(X.iloc[check], answers[check])],
    callbacks=[early_stopping({{patience}}, verbose=False)],
)
#? log
check_predictions["lightgbm"] = np.expm1(model.predict(X.iloc[check]))
#? regression not log
check_predictions["lightgbm"] = model.predict(X.iloc[check])
#? classification
check_predictions["lightgbm"] = model.predict_proba(X.iloc[check])
#?
settings["n_estimators"] = max(10, round(1.1 * model.best_iteration_))
model = Model(**settings).fit(X, answers)
#? log
test_predictions["lightgbm"] = np.expm1(model.predict(X_test))
#? regression not log
test_predictions["lightgbm"] = model.predict(X_test)
#? classification
test_predictions["lightgbm"] = model.predict_proba(X_test)
#?
