# Nearest neighbours: the answers of the most similar rows, the nearer the more they count.
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
#? regression
from sklearn.neighbors import KNeighborsRegressor as Model
#? classification
from sklearn.neighbors import KNeighborsClassifier as Model
#?
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

#? images
model = Model(n_neighbors=4, weights="distance")
#? not images
model = make_pipeline(
    make_column_transformer(
        (
            make_pipeline(SimpleImputer(strategy="median"), StandardScaler()),
            make_column_selector(dtype_include="number"),
        ),
        (
            OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=5),
            make_column_selector(dtype_include="category"),
        ),
    ),
    Model(n_neighbors=15, weights="distance"),
)
#?
#? log
model.fit(X.iloc[learn], np.log1p(y[learn]))
check_predictions["neighbours"] = np.expm1(model.predict(X.iloc[check]))
model.fit(X, np.log1p(y))
test_predictions["neighbours"] = np.expm1(model.predict(X_test))
#? regression not log
model.fit(X.iloc[learn], y[learn])
check_predictions["neighbours"] = model.predict(X.iloc[check])
model.fit(X, y)
test_predictions["neighbours"] = model.predict(X_test)
#? classification
model.fit(X.iloc[learn], y[learn])
check_predictions["neighbours"] = model.predict_proba(X.iloc[check])
model.fit(X, y)
test_predictions["neighbours"] = model.predict_proba(X_test)
#?
