
# -- {{label}}: many rows for each {{keys_in_words}}, so they are summed up
{{name}} = {{read}}
#? dates
for column, form in {{date_columns}}.items():
    moments = pd.to_datetime({{name}}[column], format=form, errors="coerce", utc=True)
    {{name}}[column] = (moments - pd.Timestamp("1970-01-01", tz="UTC")) / pd.Timedelta(days=1)
#? order
{{name}} = {{name}}.sort_values({{order}}, kind="stable")
#?
groups = {{name}}.groupby({{theirs}})
summary = groups.size().to_frame("rows")
#? numbers
numbers = {{numbers}}
summaries = {{summaries}}
for column in numbers:
    found = groups[column].agg(summaries)
    summary = summary.join(found.add_prefix(f"{column}_"))
#? kinds
for column in {{kinds}}:
    summary[f"{column}_kinds"] = groups[column].nunique()
    for value in {{name}}[column].value_counts().index[:8]:
        hits = ({{name}}[column] == value).groupby([{{name}}[key] for key in {{theirs}}]).mean()
        summary[f"{column}_is_{value}"] = hits
#?
summary = summary.add_prefix({{prefix}})
train = train.join(summary, on={{ours}})
test = test.join(summary, on={{ours}})
