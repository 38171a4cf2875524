
# -- dates: the parts of a date, and its place in the year and the day
date_columns = {{formats}}
for rows in (X, X_test):
    for column, form in date_columns.items():
        moments = pd.to_datetime(rows[column], format=form, errors="coerce", utc=True)
#? year
        rows[f"{column}_year"] = moments.dt.year
#? season
        rows[f"{column}_month"] = moments.dt.month
        rows[f"{column}_week"] = (moments.dt.day_of_year - 1) // 7
        turn = 2 * np.pi * moments.dt.day_of_year / 365.25
        rows[f"{column}_season_sin"], rows[f"{column}_season_cos"] = np.sin(turn), np.cos(turn)
        rows[f"{column}_day_of_year"] = moments.dt.day_of_year
#? day
        rows[f"{column}_day"] = moments.dt.day
#? elapsed
        rows[f"{column}_elapsed"] = (moments - pd.Timestamp("2000-01-01", tz="UTC")) / pd.Timedelta(days=1)
#?
        rows[f"{column}_weekday"] = moments.dt.day_of_week
        rows[f"{column}_weekend"] = (moments.dt.day_of_week >= 5).astype(int)
#? hours
        hour = moments.dt.hour + moments.dt.minute / 60
        rows[f"{column}_hour"] = hour
        rows[f"{column}_hour_of_week"] = 24 * moments.dt.day_of_week + hour
        turn = 2 * np.pi * hour / 24
        rows[f"{column}_hour_sin"], rows[f"{column}_hour_cos"] = np.sin(turn), np.cos(turn)
#?
X, X_test = X.drop(columns=list(date_columns)), X_test.drop(columns=list(date_columns))
