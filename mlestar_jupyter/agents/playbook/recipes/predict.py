#? blend log
# The metric compares logarithms, so that logarithms are averaged.
check_predictions = {name: np.log1p(np.maximum(p, 0)) for name, p in check_predictions.items()}
test_predictions = {name: np.log1p(np.maximum(p, 0)) for name, p in test_predictions.items()}
#? blend
# Blend: greedy averaging finds what each model is worth on the check rows (Caruana et al., 2004).


#? blend l1
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
chosen, rounds = [], 15
for _ in range(rounds):
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
(predicted,) = test_predictions.values()
#? regression
# Answers beyond those ever seen are not believed.
predicted = np.clip(predicted, y.min(), y.max())
#? whole
predicted = np.rint(predicted).astype(int)
#? probability
# No chance is taken to be nil.
predicted = np.clip(predicted, 1e-5, 1)
predicted = predicted / predicted.sum(axis=1, keepdims=True)
#? threshold blend
checked = sum(weight * check_predictions[name] for name, weight in weights.items())
#? threshold single
(checked,) = check_predictions.values()
#? threshold
# From which probability on the positive class is told is chosen on the check rows.
positive = classes.index({{positive}})
thresholds = np.linspace(0.05, 0.95, 91)
worth = [
    {{score}}(y[check] == positive, checked[:, positive] >= t{{options}}) for t in thresholds
]
best = np.flatnonzero(np.array(worth) >= max(worth) - 1e-9)
threshold = thresholds[best[len(best) // 2]]
numbers = np.where(predicted[:, positive] >= threshold, positive, 1 - positive)
#? lift blend
checked = sum(weight * check_predictions[name] for name, weight in weights.items())
#? lift single
(checked,) = check_predictions.values()
#? lift
# The metric counts every class alike: rare ones are lifted as far as it helps on the check rows.
shares = np.bincount(y) / len(y)
worth = {
    power: {{score}}(y[check], (checked / shares**power).argmax(axis=1){{options}})
    for power in (0.0, 0.25, 0.5, 0.75, 1.0)
}
numbers = (predicted / shares ** max(worth, key=worth.get)).argmax(axis=1)
#? plain_label
numbers = predicted.argmax(axis=1)
#?

submission = sample.copy()
#? id
submission[{{id_column}}] = ids.to_numpy()
#? regression
submission[target] = predicted
#? probability binary
submission[{{column}}] = predicted[:, classes.index({{positive}})]
#? probability multiclass
chances = pd.DataFrame(predicted, columns=[str(label) for label in classes])
for column in {{class_columns}}:
    submission[column] = chances[column] if column in chances else 0.0
#? label
submission[target] = np.array(classes, dtype=object)[numbers]
#? ranking
best_first = np.argsort(-predicted, axis=1)[:, :3]
submission[target] = [" ".join(str(classes[number]) for number in row) for row in best_first]
#?
submission.to_csv(predictions_path, index=False)
