
# -- text_models: what quick models of the words say, cross-fitted over the inner folds
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import cross_val_predict
#? classification
from sklearn.naive_bayes import MultinomialNB
from sklearn.svm import LinearSVC
#? regression
from sklearn.linear_model import Ridge
#?

#? classification
quick_models = {
    "bayes": (MultinomialNB(alpha=0.03), "predict_log_proba"),
    "svm": (LinearSVC(C=1.0, random_state=seed), "decision_function"),
}
#? regression
quick_models = {"ridge": (Ridge(alpha=1.0, solver="sparse_cg"), "predict")}
#?
for column in {{columns}}:
    # Punctuation tells authors and moods apart, so that it counts as words.
    words = TfidfVectorizer(
        ngram_range=(1, 2), min_df=2, max_features=100_000, sublinear_tf=True, token_pattern=r"(?u)\b\w+\b|[^\w\s]"
    )
    written = words.fit_transform(train[column].astype("string").fillna("").astype(object))
    written_test = words.transform(test[column].astype("string").fillna("").astype(object))
    for name, (quick, method) in quick_models.items():
        said = cross_val_predict(quick, written, {{answers}}, cv=folds, method=method)
        said_test = getattr(quick.fit(written, {{answers}}), method)(written_test)
        said, said_test = said.reshape(len(X), -1), said_test.reshape(len(X_test), -1)
        names = [f"{column}_{name}_{number}" for number in range(said.shape[1])]
        X[names], X_test[names] = said, said_test
