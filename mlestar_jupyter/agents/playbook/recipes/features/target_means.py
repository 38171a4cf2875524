
# -- target_means: the mean target of each category, cross-fitted (no row sees its own target)
from sklearn.preprocessing import TargetEncoder

encoded = {{columns}}
categories = train[encoded].astype("string").fillna("missing").astype(object)
categories_test = test[encoded].astype("string").fillna("missing").astype(object)
encoder = TargetEncoder(target_type={{target_type}})
#? log
means = encoder.fit_transform(categories, np.log1p(y))
#? not log
means = encoder.fit_transform(categories, y)
#?
names = [f"target_mean_{number}" for number in range(means.shape[1])]
X[names], X_test[names] = means, encoder.transform(categories_test)
