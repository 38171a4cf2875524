
# -- pieces: the first word, the last word and the letters of codes such as "B12" or "Dr. Smith"
for column in {{columns}}:
    for rows, source in ((X, train), (X_test, test)):
        written = source[column].astype("string").fillna("")
        rows[f"{column}_first"] = written.str.extract(r"(\w+)", expand=False)
        rows[f"{column}_last"] = written.str.extract(r"(\w+)\W*$", expand=False)
        rows[f"{column}_letters"] = written.str.replace(r"[\d\s]+", "", regex=True).str[:12]
        rows[f"{column}_number"] = pd.to_numeric(written.str.extract(r"(\d+)", expand=False))
        rows[f"{column}_length"] = written.str.len().astype(float)
        rows[f"{column}_title"] = written.str.extract(r"\b([A-Za-z]+)\.", expand=False)
