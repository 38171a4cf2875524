#? regression
# Ridge regression on scaled numbers and on-off columns of the categories.
from sklearn.linear_model import Ridge
#? classification
# Logistic regression on scaled numbers and on-off columns of the categories.
from sklearn.linear_model import LogisticRegression
#?
from sklearn.compose import make_column_selector, make_column_transformer
#? strings
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
#?
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

parts = [
    (
        make_pipeline(SimpleImputer(strategy="median"), StandardScaler()),
        make_column_selector(dtype_include="number"),
    ),
    (
        OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=5),
        make_column_selector(dtype_include="category"),
    ),
]
plain, plain_test = X, X_test
#? strings
# Beside them each wide column of words: as a whole, and by its character n-grams.
for column in {{strings}}:
    written = {f"{column}_written": train[column].astype("string").fillna("").astype(object)}
    written_test = {f"{column}_written": test[column].astype("string").fillna("").astype(object)}
    plain, plain_test = plain.assign(**written), plain_test.assign(**written_test)
    if train[column].nunique() < len(train) / 2:  # else hardly any comes twice
        parts.append((CountVectorizer(analyzer=lambda text: [text], min_df=2), f"{column}_written"))
    grams = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), min_df=2)
    parts.append((grams, f"{column}_written"))
#?
#? regression
model = make_pipeline(make_column_transformer(*parts), Ridge(alpha={{alpha}}))
#? classification
model = make_pipeline(make_column_transformer(*parts), LogisticRegression(C={{strength}}, max_iter=300))
#?
#? regression log
centre = np.log1p(y).mean()
model.fit(plain.iloc[learn], np.log1p(y[learn]) - centre)
check_predictions["linear"] = np.expm1(model.predict(plain.iloc[check]) + centre)
model.fit(plain, np.log1p(y) - centre)
test_predictions["linear"] = np.expm1(model.predict(plain_test) + centre)
#? regression not log
centre = y.mean()
model.fit(plain.iloc[learn], y[learn] - centre)
check_predictions["linear"] = model.predict(plain.iloc[check]) + centre
model.fit(plain, y - centre)
test_predictions["linear"] = model.predict(plain_test) + centre
#? classification
model.fit(plain.iloc[learn], y[learn])
check_predictions["linear"] = model.predict_proba(plain.iloc[check])
model.fit(plain, y)
test_predictions["linear"] = model.predict_proba(plain_test)
#?
