# A small neural network on scaled numbers and on-off columns of the categories.
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
#? regression
from sklearn.neural_network import MLPRegressor as Model
#? classification
from sklearn.neural_network import MLPClassifier as Model
#?
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, QuantileTransformer

numbers = make_pipeline(
    SimpleImputer(strategy="median"),
    QuantileTransformer(n_quantiles=100, output_distribution="normal", random_state=seed),
)
kinds = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=5, sparse_output=False)
model = make_pipeline(
    make_column_transformer(
        (numbers, make_column_selector(dtype_include="number")),
        (kinds, make_column_selector(dtype_include="category")),
    ),
    Model(
        hidden_layer_sizes=(64, 32),
        alpha=0.001,
        learning_rate_init=0.003,
        batch_size=128,
        max_iter={{epochs}},
        random_state=seed,
    ),
)
#? regression
# A network learns best when the answers have mean 0 and spread 1.
#? log
answers = np.log1p(y)
#? regression not log
answers = y
#? regression
centre, scale = answers.mean(), answers.std()
model.fit(X.iloc[learn], (answers[learn] - centre) / scale)
#? log
check_predictions["mlp"] = np.expm1(model.predict(X.iloc[check]) * scale + centre)
model.fit(X, (answers - centre) / scale)
test_predictions["mlp"] = np.expm1(model.predict(X_test) * scale + centre)
#? regression not log
check_predictions["mlp"] = model.predict(X.iloc[check]) * scale + centre
model.fit(X, (answers - centre) / scale)
test_predictions["mlp"] = model.predict(X_test) * scale + centre
#? classification
model.fit(X.iloc[learn], y[learn])
check_predictions["mlp"] = model.predict_proba(X.iloc[check])
model.fit(X, y)
test_predictions["mlp"] = model.predict_proba(X_test)
#?
