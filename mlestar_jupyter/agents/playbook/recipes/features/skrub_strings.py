
# -- skrub_strings: string columns encoded by skrub's StringEncoder
from skrub import StringEncoder

for column in {{columns}}:
    string_encoder = StringEncoder(n_components=20, random_state=seed)
    parts = np.asarray(string_encoder.fit_transform(train[column].astype("string").fillna("").astype(object)))
    parts_test = np.asarray(string_encoder.transform(test[column].astype("string").fillna("").astype(object)))
    names = [f"{column}_string_{number}" for number in range(parts.shape[1])]
    X[names], X_test[names] = parts, parts_test
