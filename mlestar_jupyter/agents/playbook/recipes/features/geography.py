
# -- geography: turned coordinates, so that trees can cut along slanted lines
latitude, longitude = {{latitude}}, {{longitude}}
for rows, source in ((X, train), (X_test, test)):
    for degrees in (15, 30, 45, 60):
        turn = np.deg2rad(degrees)
        rows[f"along_{degrees}"] = source[longitude] * np.cos(turn) + source[latitude] * np.sin(turn)
        rows[f"across_{degrees}"] = source[latitude] * np.cos(turn) - source[longitude] * np.sin(turn)
