
# -- date_gaps: days between any two dates of a row
from itertools import combinations

gap_columns = {{formats}}
for rows, source in ((X, train), (X_test, test)):
    moments = {c: pd.to_datetime(source[c], format=f, errors="coerce", utc=True) for c, f in gap_columns.items()}
    for first, second in combinations(moments, 2):
        rows[f"{first}_to_{second}"] = (moments[second] - moments[first]) / pd.Timedelta(days=1)
