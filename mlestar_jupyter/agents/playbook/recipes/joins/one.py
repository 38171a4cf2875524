
# -- {{label}}: one row for each {{keys_in_words}}
{{name}} = {{read}}
#? dropped
{{name}} = {{name}}.drop(columns={{dropped}})  # they repeat what train has
#?
{{name}} = {{name}}.set_index({{theirs}}).add_prefix({{prefix}})
train = train.join({{name}}, on={{ours}})
test = test.join({{name}}, on={{ours}})
