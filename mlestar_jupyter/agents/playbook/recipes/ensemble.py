# The ensemble: {{description}}.
import numpy as np
import pandas as pd

members = {{members}}
#? told
told = [np.load(f"{member}_told.npz") for member in members]
y_check = told[0]["answers"]
#? told classification
classes, shares = told[0]["classes"].tolist(), told[0]["shares"]
#? told whole
grades, shares = told[0]["grades"], told[0]["shares"]
#? told
scales = {
    "as they are": (lambda p: p, lambda p: p),
    "logarithms": (lambda p: np.log1p(np.maximum(p, 0)), np.expm1),
    "log chances": (lambda p: np.log(np.clip(p, 1e-6, 1)), np.exp),
    "ranks": (lambda p: pd.DataFrame(p).rank(pct=True).to_numpy(), lambda p: p),
}
before, after = scales[{{scale}}]
#? told given
weights = {{weights}}
#? told greedy
# Weights by greedy averaging on the check rows inside train (Caruana et al., 2004).
checks, chosen = [before(member["checked"]) for member in told], list(range(len(told)))


#? told greedy l1 not log
def loss(predicted):
    """Mean absolute error on the check rows."""
    return np.abs(after(predicted) - y_check).mean()


#? told greedy regression log
def loss(predicted):
    """Mean squared error of logarithms on the check rows."""
    return np.mean((np.log1p(np.maximum(after(predicted), 0)) - np.log1p(y_check)) ** 2)


#? told greedy regression not log not l1
def loss(predicted):
    """Mean squared error on the check rows."""
    return np.mean((after(predicted) - y_check) ** 2)


#? told greedy classification
def loss(predicted):
    """Logarithmic loss on the check rows."""
    chances = after(predicted) / after(predicted).sum(axis=1, keepdims=True)
    return -np.log(chances[np.arange(len(y_check)), y_check] + 1e-6).mean()


#? told greedy
for _ in range(10):
    trials = [loss(np.mean([checks[c] for c in [*chosen, m]], axis=0)) for m in range(len(told))]
    chosen.append(int(np.argmin(trials)))
weights = [chosen.count(m) / len(chosen) for m in range(len(told))]
print("weights:", dict(zip(members, weights)))
#? told
predicted = after(sum(w * before(member["predicted"]) for w, member in zip(weights, told)))
checked = after(sum(w * before(member["checked"]) for w, member in zip(weights, told)))
#? told classification
predicted = predicted / predicted.sum(axis=1, keepdims=True)
checked = checked / checked.sum(axis=1, keepdims=True)
#? told
submission = pd.read_csv("s1_predictions.csv")
#? files
weights = {{weights}}
tables = [pd.read_csv(f"{member}_predictions.csv") for member in members]
submission = tables[0].copy()
#? files number
columns = {{columns}}
stacked = [table[columns].to_numpy(dtype=float) for table in tables]
#? files number log
stacked = [np.log1p(np.maximum(values, 0)) for values in stacked]
submission[columns] = np.expm1(np.average(stacked, axis=0, weights=weights))
#? files number not log
submission[columns] = np.average(stacked, axis=0, weights=weights)
#? files whole
submission[columns] = submission[columns].round().astype(int)
#? files vote
# Each member has a vote of its weight; the first in the alphabet wins a tie.
column = {{column}}
votes = pd.concat([pd.get_dummies(t[column].astype(str)) * w for t, w in zip(tables, weights)])
winners = votes.fillna(0).groupby(level=0).sum().idxmax(axis=1)
as_written = {str(label): label for table in tables for label in table[column]}
submission[column] = winners.map(as_written)
#? files
submission.to_csv(predictions_path, index=False)
