
# -- products: products, sums and differences of the most telling numbers
from itertools import combinations

#? classification
from sklearn.feature_selection import f_classif as strength
#? regression
from sklearn.feature_selection import f_regression as strength
#?

numbers = {{columns}}
scores = strength(train[numbers].fillna(train[numbers].median()), y)[0]
telling = [numbers[i] for i in np.argsort(-np.nan_to_num(scores))[:5]]
for first, second in combinations(telling, 2):
    for rows, source in ((X, train), (X_test, test)):
        rows[f"{first}_times_{second}"] = source[first] * source[second]
        rows[f"{first}_plus_{second}"] = source[first] + source[second]
        rows[f"{first}_minus_{second}"] = source[first] - source[second]
