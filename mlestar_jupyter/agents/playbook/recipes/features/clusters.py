
# -- clusters: the distance to the centres of groups of similar rows
from sklearn.cluster import KMeans
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

numbers = {{columns}}
clusters = make_pipeline(
    SimpleImputer(strategy="median"), StandardScaler(), KMeans(8, n_init=2, random_state=seed)
)
distances, distances_test = clusters.fit_transform(train[numbers]), clusters.transform(test[numbers])
names = [f"cluster_{number}" for number in range(distances.shape[1])]
X[names], X_test[names] = distances, distances_test
