
# -- code_means: whole numbers with many repeats may be codes: their mean target, cross-fitted
from sklearn.preprocessing import TargetEncoder

codes = {{columns}}
code_values, code_values_test = train[codes].astype("string").fillna("missing").astype(object), test[codes].astype("string").fillna("missing").astype(object)
code_encoder = TargetEncoder(target_type={{target_type}})
#? log
means = code_encoder.fit_transform(code_values, np.log1p(y))
#? not log
means = code_encoder.fit_transform(code_values, y)
#?
names = [f"code_mean_{number}" for number in range(means.shape[1])]
X[names], X_test[names] = means, code_encoder.transform(code_values_test)
