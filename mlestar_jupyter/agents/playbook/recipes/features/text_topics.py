
# -- text_topics: the main directions of the words (TF-IDF, then SVD)
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

topics = 30
for column in {{columns}}:
    tfidf = TfidfVectorizer(min_df=3, max_features=30_000, sublinear_tf=True, stop_words="english")
    written = tfidf.fit_transform(train[column].astype("string").fillna("").astype(object))
    written_test = tfidf.transform(test[column].astype("string").fillna("").astype(object))
    svd = TruncatedSVD(min(topics, written.shape[1] - 1), random_state=seed)
    parts, parts_test = svd.fit_transform(written), svd.transform(written_test)
    names = [f"{column}_topic_{number}" for number in range(parts.shape[1])]
    X[names], X_test[names] = parts, parts_test
