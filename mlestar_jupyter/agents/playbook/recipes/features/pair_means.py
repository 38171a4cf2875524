
# -- pair_means: the mean target of pairs of categories, cross-fitted
from itertools import combinations

from sklearn.preprocessing import TargetEncoder

paired = {{columns}}
pairs, pairs_test = pd.DataFrame(index=X.index), pd.DataFrame(index=X_test.index)
for first, second in combinations(paired, 2):
    for both, source in ((pairs, train), (pairs_test, test)):
        left, right = (source[c].astype("string").fillna("missing") for c in (first, second))
        both[f"{first}_and_{second}"] = (left + " & " + right).astype(object)
pair_encoder = TargetEncoder(target_type={{target_type}})
#? log
means = pair_encoder.fit_transform(pairs, np.log1p(y))
#? not log
means = pair_encoder.fit_transform(pairs, y)
#?
names = [f"pair_mean_{number}" for number in range(means.shape[1])]
X[names], X_test[names] = means, pair_encoder.transform(pairs_test)
