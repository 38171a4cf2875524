# {{title}}: a model of your own, on scaled numbers and on-off columns of the categories.
#? classification
from sklearn.calibration import CalibratedClassifierCV
#?
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

{{example}}

#? classification
if not hasattr(model, "predict_proba"):
    model = CalibratedClassifierCV(model)  # it only decides: how sure it may be is learned
#?
numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
kinds = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=5, sparse_output=False)
model = make_pipeline(
    make_column_transformer(
        (numbers, make_column_selector(dtype_include="number")),
        (kinds, make_column_selector(dtype_include="category")),
    ),
    model,
)
#? log
answers = np.log1p(y)
#? not log
answers = y
#?
model.fit(X.iloc[learn], answers[learn])
#? log
check_predictions[{{name}}] = np.expm1(model.predict(X.iloc[check]))
#? regression not log
check_predictions[{{name}}] = model.predict(X.iloc[check])
#? classification
check_predictions[{{name}}] = model.predict_proba(X.iloc[check])
#?
model.fit(X, answers)
#? log
test_predictions[{{name}}] = np.expm1(model.predict(X_test))
#? regression not log
test_predictions[{{name}}] = model.predict(X_test)
#? classification
test_predictions[{{name}}] = model.predict_proba(X_test)
#?
