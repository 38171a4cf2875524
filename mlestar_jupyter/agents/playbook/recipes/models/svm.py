#? regression
# Support vector regression with a Gaussian kernel, on scaled numbers.
from sklearn.svm import SVR
#? classification
# A support vector machine with a Gaussian kernel; its distances become probabilities.
from sklearn.svm import SVC
#?
#? not images
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder, StandardScaler
#?
#? images large
from sklearn.decomposition import PCA
#?
from sklearn.pipeline import make_pipeline

#? images
# Pixels share one scale already: they are taken as they are.
#? images large
before = [PCA({{components}}, random_state=seed)]  # fewer numbers: far quicker, and less noise
#? images not large
before = []
#? not images
before = [
    make_column_transformer(
        (
            make_pipeline(SimpleImputer(strategy="median"), StandardScaler()),
            make_column_selector(dtype_include="number"),
        ),
        (
            OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=5),
            make_column_selector(dtype_include="category"),
        ),
    )
]
#? regression log
answers = np.log1p(y)
#? regression not log
answers = y
#? regression
centre, scale = answers.mean(), answers.std()
model = make_pipeline(*before, SVR(C=3.0, epsilon=0.05))
model.fit(X.iloc[learn], (answers[learn] - centre) / scale)
#? regression log
check_predictions["svm"] = np.expm1(model.predict(X.iloc[check]) * scale + centre)
model.fit(X, (answers - centre) / scale)
test_predictions["svm"] = np.expm1(model.predict(X_test) * scale + centre)
#? regression not log
check_predictions["svm"] = model.predict(X.iloc[check]) * scale + centre
model.fit(X, (answers - centre) / scale)
test_predictions["svm"] = model.predict(X_test) * scale + centre
#? classification
model = make_pipeline(*before, SVC(C={{strength}}, gamma="scale"))


def chances(distances, sharpness):
    """Probabilities from distances to the borders between classes (softmax)."""
    if distances.ndim == 1:
        distances = np.column_stack([-distances, distances])
    powers = np.exp(sharpness * (distances - distances.max(axis=1, keepdims=True)))
    return powers / powers.sum(axis=1, keepdims=True)


# The check rows tell how sure the machine may be of itself.
model.fit(X.iloc[learn], y[learn])
distances = model.decision_function(X.iloc[check])
right = (np.arange(len(check)), y[check])
trials = [0.25, 0.5, 1.0, 2.0, 4.0, 8.0]
sharpness = max(trials, key=lambda s: np.log(chances(distances, s)[right] + 1e-9).mean())
check_predictions["svm"] = chances(distances, sharpness)
#? pure images
# Pictures moved by some pixels show the same thing: more rows to learn from.
shifts = [(0, 0)]
moved = [describe(np.roll(pictures, step, axis=(1, 2))) for step in shifts]
model.fit(pd.DataFrame(np.vstack(moved), columns=X.columns), np.tile(y, len(shifts)))
#? classification not pure
model.fit(X, y)
#? classification
test_predictions["svm"] = chances(model.decision_function(X_test), sharpness)
#?
