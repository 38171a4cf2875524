#? blend log
# The metric compares logarithms, so that logarithms are averaged.
check_predictions = {name: np.log1p(np.maximum(p, 0)) for name, p in check_predictions.items()}
test_predictions = {name: np.log1p(np.maximum(p, 0)) for name, p in test_predictions.items()}
#? blend
# Blend: greedy averaging finds what each model is worth on the check rows (Caruana et al., 2004).


#? blend l1 not log
def loss(predicted):
    """Mean absolute error on the check rows."""
    return np.abs(predicted - y[check]).mean()


#? blend log
def loss(predicted):
    """Mean squared error of logarithms on the check rows."""
    return np.mean((predicted - np.log1p(y[check])) ** 2)


#? blend regression not log not l1
def loss(predicted):
    """Mean squared error on the check rows."""
    return np.mean((predicted - y[check]) ** 2)


#? blend classification
def loss(predicted):
    """Logarithmic loss on the check rows."""
    return -np.log(predicted[np.arange(len(check)), y[check]] + 1e-6).mean()


#? blend
chosen = list(check_predictions)  # every model once, so that none is left out for luck
for _ in range(10):
    trials = {
        name: loss(np.mean([check_predictions[c] for c in [*chosen, name]], axis=0))
        for name in check_predictions
    }
    chosen.append(min(trials, key=trials.get))
weights = {name: chosen.count(name) / len(chosen) for name in test_predictions}
print("weights:", weights)
predicted = sum(weight * test_predictions[name] for name, weight in weights.items())
#? blend log
predicted = np.expm1(predicted)
#? single
# The mean of the models, of which there is one so far.
predicted = np.mean(list(test_predictions.values()), axis=0)
#? regression
# Answers beyond those ever seen are not believed.
predicted = np.clip(predicted, y.min(), y.max())
#? whole
grades, counts = np.unique(y, return_counts=True)
shares = counts / counts.sum()
#? whole blend
checked = sum(weight * check_predictions[name] for name, weight in weights.items())
#? whole single
checked = np.mean(list(check_predictions.values()), axis=0)
#? threshold
y_check = y[check]
#? lift
y_check, shares = y[check], np.bincount(y) / len(y)
#? threshold blend
checked = sum(weight * check_predictions[name] for name, weight in weights.items())
#? threshold single
checked = np.mean(list(check_predictions.values()), axis=0)
#? lift blend
checked = sum(weight * check_predictions[name] for name, weight in weights.items())
#? lift single
checked = np.mean(list(check_predictions.values()), axis=0)
#?

submission = sample.copy()
#? id
submission[{{id_column}}] = ids.to_numpy()
#?
