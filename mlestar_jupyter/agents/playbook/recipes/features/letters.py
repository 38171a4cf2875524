# Features: the weight of letters inside words (n-grams, TF-IDF), learned from train only.
from scipy.sparse import hstack
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

parts, parts_test = [], []
for column in {{columns}}:
    # Each different word is cut into n-grams once: far quicker than to cut every text.
    counter = CountVectorizer(token_pattern=r"\S+", lowercase=False)
    written = counter.fit_transform(train[column].astype("string").fillna("").astype(object))
    written_test = counter.transform(test[column].astype("string").fillna("").astype(object))
    grams = CountVectorizer(analyzer="char_wb", ngram_range=(1, 5), min_df=2, lowercase=False)
    grams_of_words = grams.fit_transform(counter.get_feature_names_out())
    weights = TfidfTransformer(sublinear_tf=True).fit(written @ grams_of_words)
    parts.append(weights.transform(written @ grams_of_words))
    parts_test.append(weights.transform(written_test @ grams_of_words))
X, X_test = hstack(parts).tocsr(), hstack(parts_test).tocsr()
