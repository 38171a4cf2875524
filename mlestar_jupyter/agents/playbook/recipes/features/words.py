# Features: the weight of each word and pair of words (TF-IDF), learned from train only.
#? several
from scipy.sparse import csr_matrix, hstack
#?
from sklearn.feature_extraction.text import TfidfVectorizer
#? numbers
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
#? several
from sklearn.preprocessing import OneHotEncoder, StandardScaler
#?

#? several
parts, parts_test = [], []
for column in {{columns}}:
    # Punctuation tells authors and moods apart, so that it counts as words.
    words = TfidfVectorizer(
        ngram_range=(1, 2), min_df=2, max_features=100_000, sublinear_tf=True, token_pattern=r"(?u)\b\w+\b|[^\w\s]"
    )
    parts.append(words.fit_transform(train[column].astype("string").fillna("").astype(object)))
    parts_test.append(words.transform(test[column].astype("string").fillna("").astype(object)))
#? not several
# Punctuation tells authors and moods apart, so that it counts as words.
words = TfidfVectorizer(
    ngram_range=(1, 2), min_df=2, max_features=100_000, sublinear_tf=True, token_pattern=r"(?u)\b\w+\b|[^\w\s]"
)
X = words.fit_transform(train[{{column}}].astype("string").fillna("").astype(object))
X_test = words.transform(test[{{column}}].astype("string").fillna("").astype(object))
#? numbers
# Numbers beside the words, on one scale.
numbers = {{numbers}}
scaled = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
parts.append(csr_matrix(scaled.fit_transform(train[numbers])))
parts_test.append(csr_matrix(scaled.transform(test[numbers])))
#? kinds
# Categories as on-off columns.
kinds = {{kinds}}
on_off = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=5)
parts.append(on_off.fit_transform(train[kinds].astype("string").fillna("missing").astype(object)))
parts_test.append(on_off.transform(test[kinds].astype("string").fillna("missing").astype(object)))
#? several
X, X_test = hstack(parts).tocsr(), hstack(parts_test).tocsr()
#?
