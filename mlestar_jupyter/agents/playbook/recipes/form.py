#? whole
# Whole grades in their usual shares: where to cut is told by the check rows.
cuts = np.quantile(checked, np.cumsum(shares)[:-1])
predicted = grades[np.searchsorted(cuts, predicted)].astype(int)
#? probability
# No chance is taken to be nil.
predicted = np.clip(predicted, 1e-5, 1)
predicted = predicted / predicted.sum(axis=1, keepdims=True)
#? threshold
# From which probability on the positive class is told is chosen on the check rows.
positive = classes.index({{positive}})
thresholds = np.linspace(0.05, 0.95, 91)
worth = [
    {{score}}(y_check == positive, checked[:, positive] >= t{{options}}) for t in thresholds
]
best = np.flatnonzero(np.array(worth) >= max(worth) - 1e-9)
threshold = thresholds[best[len(best) // 2]]
numbers = np.where(predicted[:, positive] >= threshold, positive, 1 - positive)
#? lift
# The metric counts every class alike: rare ones are lifted as far as it helps on the check rows.
worth = {
    power: {{score}}(y_check, (checked / shares**power).argmax(axis=1){{options}})
    for power in (0.0, 0.25, 0.5, 0.75, 1.0)
}
numbers = (predicted / shares ** max(worth, key=worth.get)).argmax(axis=1)
#? plain_label
numbers = predicted.argmax(axis=1)
#?
#? regression
submission[{{target}}] = predicted
#? probability binary
submission[{{column}}] = predicted[:, classes.index({{positive}})]
#? probability multiclass
chances = pd.DataFrame(predicted, columns=[str(label) for label in classes])
for column in {{class_columns}}:
    submission[column] = chances[column] if column in chances else 0.0
#? label
submission[{{target}}] = np.array(classes, dtype=object)[numbers]
#? ranking
best_first = np.argsort(-predicted, axis=1)[:, :3]
submission[{{target}}] = [" ".join(str(classes[number]) for number in row) for row in best_first]
#?
submission.to_csv(predictions_path, index=False)
