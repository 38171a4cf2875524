
# -- text_numbers: the length of a text, its words and its punctuation
for column in {{columns}}:
    for rows, source in ((X, train), (X_test, test)):
        text = source[column].astype("string").fillna("")
        words = text.str.split()
        rows[f"{column}_letters"] = text.str.len().astype(float)
        rows[f"{column}_words"] = words.map(len).astype(float)
        rows[f"{column}_different"] = words.map(lambda found: len(set(found))).astype(float)
        rows[f"{column}_word_length"] = rows[f"{column}_letters"] / (rows[f"{column}_words"] + 1)
        for name, pattern in (("capitals", "[A-Z]"), ("digits", r"\d"), ("commas", ","), ("stops", r"[.!?]"), ("quotes", "[\"']"), ("semicolons", ";")):
            rows[f"{column}_{name}"] = text.str.count(pattern).astype(float)
