# CatBoost: boosted symmetric trees with ordered statistics; slow to learn, hard to overfit.
import os

#? regression
from catboost import CatBoostRegressor as Model
#? classification
from catboost import CatBoostClassifier as Model
#?

settings = dict(
#? regression l1
    loss_function="MAE",
#?
    iterations={{trees}},
    learning_rate={{rate}},
    depth={{depth}},
    l2_leaf_reg=3.0,
    border_count={{borders}},
    rsm={{columns_share}},
    one_hot_max_size=12,
    max_ctr_complexity=1,
    random_seed=seed,
    thread_count=int(os.environ.get("OMP_NUM_THREADS", -1)),
    allow_writing_files=False,
    verbose=False,
)
#? log
answers = np.log1p(y)
#? not log
answers = y
#?
# CatBoost wants its categories as text.
kinds = list(X.select_dtypes("category"))
plain = X.astype({column: object for column in kinds}).fillna({column: "missing" for column in kinds})
plain_test = X_test.astype({column: object for column in kinds}).fillna({column: "missing" for column in kinds})
#? codes
# For so many rows its own statistics of categories take too long: the numbers of categories do.
plain, plain_test = (rows.assign(**{column: rows[column].cat.codes for column in kinds}) for rows in (X, X_test))
kinds = []
#?
model = Model(**settings, cat_features=kinds)
model.fit(
    plain.iloc[learn],
    answers[learn],
    eval_set=(plain.iloc[check], answers[check]),
    early_stopping_rounds={{patience}},
)
#? log
check_predictions["catboost"] = np.expm1(model.predict(plain.iloc[check]))
#? regression not log
check_predictions["catboost"] = model.predict(plain.iloc[check])
#? classification
check_predictions["catboost"] = model.predict_proba(plain.iloc[check])
#?
settings["iterations"] = max(20, round(1.1 * model.tree_count_))
model = Model(**settings, cat_features=kinds).fit(plain, answers)
#? log
test_predictions["catboost"] = np.expm1(model.predict(plain_test))
#? regression not log
test_predictions["catboost"] = model.predict(plain_test)
#? classification
test_predictions["catboost"] = model.predict_proba(plain_test)
#?
