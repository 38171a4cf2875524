#? regression
# Ridge regression on the weights of words.
from sklearn.linear_model import Ridge

model = Ridge(alpha={{alpha}}, solver="sparse_cg")
#? classification
# Logistic regression on the weights of words.
from sklearn.linear_model import LogisticRegression

model = LogisticRegression(C={{strength}}, max_iter=100, tol=0.001)
#? regression log
centre = np.log1p(y).mean()
model.fit(X[learn], np.log1p(y[learn]) - centre)
check_predictions[{{name}}] = np.expm1(model.predict(X[check]) + centre)
model.fit(X, np.log1p(y) - centre)
test_predictions[{{name}}] = np.expm1(model.predict(X_test) + centre)
#? regression not log
centre = y.mean()
model.fit(X[learn], y[learn] - centre)
check_predictions[{{name}}] = model.predict(X[check]) + centre
model.fit(X, y - centre)
test_predictions[{{name}}] = model.predict(X_test) + centre
#? classification
model.fit(X[learn], y[learn])
check_predictions[{{name}}] = model.predict_proba(X[check])
model.fit(X, y)
test_predictions[{{name}}] = model.predict_proba(X_test)
#?
