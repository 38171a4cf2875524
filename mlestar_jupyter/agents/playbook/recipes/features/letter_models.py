
# -- letter_models: the same for the letters inside words (endings, spelling, names)
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.model_selection import cross_val_predict
#? classification
from sklearn.naive_bayes import MultinomialNB
#? regression
from sklearn.linear_model import Ridge
#?

for column in {{columns}}:
    # Each different word is cut into n-grams once: far quicker than to cut every text.
    counter = CountVectorizer(token_pattern=r"\S+", lowercase=False)
    written = counter.fit_transform(train[column].astype("string").fillna("").astype(object))
    written_test = counter.transform(test[column].astype("string").fillna("").astype(object))
    grams = CountVectorizer(analyzer="char_wb", ngram_range=(2, 5), min_df=2, lowercase=False)
    grams_of_words = grams.fit_transform(counter.get_feature_names_out())
    weights = TfidfTransformer(sublinear_tf=True).fit(written @ grams_of_words)
    letters = weights.transform(written @ grams_of_words)
    letters_test = weights.transform(written_test @ grams_of_words)
#? classification
    quick, method = MultinomialNB(alpha=0.02), "predict_log_proba"
#? regression
    quick, method = Ridge(alpha=1.0, solver="sparse_cg"), "predict"
#?
    said = cross_val_predict(quick, letters, {{answers}}, cv=folds, method=method)
    said_test = getattr(quick.fit(letters, {{answers}}), method)(letters_test)
    said, said_test = said.reshape(len(X), -1), said_test.reshape(len(X_test), -1)
    names = [f"{column}_letters_{number}" for number in range(said.shape[1])]
    X[names], X_test[names] = said, said_test
