# Naive Bayes on words: quick, and strong where single words tell the classes apart.
from sklearn.naive_bayes import MultinomialNB

# How much unseen words are smoothed is chosen on the check rows.
trials = {}
for alpha in (0.01, 0.03, 0.1, 0.3, 1.0):
    found = MultinomialNB(alpha=alpha).fit(X[learn], y[learn]).predict_proba(X[check])
    trials[alpha] = np.log(found[np.arange(len(check)), y[check]] + 1e-9).mean(), found
alpha = max(trials, key=lambda tried: trials[tried][0])
check_predictions["naive_bayes"] = trials[alpha][1]
model = MultinomialNB(alpha=alpha).fit(X, y)
test_predictions["naive_bayes"] = model.predict_proba(X_test)
