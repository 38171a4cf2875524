
# -- strings: categories written alike get similar numbers (character n-grams, then SVD)
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

components = 20
for column in {{columns}}:
    grams = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 4), min_df=2, sublinear_tf=True)
    written = grams.fit_transform(train[column].astype("string").fillna("").str.lower())
    written_test = grams.transform(test[column].astype("string").fillna("").str.lower())
    svd = TruncatedSVD(min(components, written.shape[1] - 1), random_state=seed)
    parts, parts_test = svd.fit_transform(written), svd.transform(written_test)
    names = [f"{column}_like_{number}" for number in range(parts.shape[1])]
    X[names], X_test[names] = parts, parts_test
