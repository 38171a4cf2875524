# The rows to learn from, the rows to predict, and the form to fill.
from pathlib import Path

import numpy as np
import pandas as pd
#? random regression
from sklearn.model_selection import KFold
#? random classification
from sklearn.model_selection import StratifiedKFold
#? together
from sklearn.model_selection import GroupKFold
#?

np.random.seed(seed)  # for what takes no seed of its own
target = {{target}}
#? left_out
left_out = {{left_out}}  # {{why_left_out}}
#?


def read_table(path):
    """A CSV, TSV or Parquet file as a DataFrame."""
    if Path(path).suffix == ".parquet":
        return pd.read_parquet(path)
    return pd.read_csv(path, sep="\t" if Path(path).suffix == ".tsv" else ",", low_memory=False)


train, test, sample = read_table(train_path), read_table(test_path), read_table(sample_path)
#? subsample
# While searching, so many rows tell enough; the final fit takes all of them.
most_rows = {{most_rows}}
if most_rows and len(train) > most_rows:
#? subsample time
    train = train.tail(most_rows).reset_index(drop=True)
#? subsample not time
    train = train.sample(most_rows, random_state=seed).reset_index(drop=True)
#? regression
y = train.pop(target).to_numpy(dtype=float)
#? classification
answers = train.pop(target)
classes = sorted(answers.unique())
y = answers.map({label: number for number, label in enumerate(classes)}).to_numpy(dtype=int)
#?

# Inner folds of train: they decide when to stop and keep statistics of the target honest.
#? random regression
folds = list(KFold(5, shuffle=True, random_state=seed).split(train))
#? random classification
folds = list(StratifiedKFold(5, shuffle=True, random_state=seed).split(train, y))
#? group
together = train[{{group}}].astype(str)
folds = list(GroupKFold(5).split(train, groups=together))
#? blocks
# Test has days that train lacks, so whole blocks of days are held out here, too.
days = pd.to_datetime(train[{{time}}], utc=True, format={{time_format}}, errors="coerce")
days = (days - pd.Timestamp("1970-01-01", tz="UTC")) / pd.Timedelta(days=1)
together = (days.fillna(0) // {{block_days}}).astype(int)
folds = list(GroupKFold(5).split(train, groups=together))
#? time
# Test lies after train, so the last fold lies after the rows that are learned from.
#? time dates
when = pd.to_datetime(train[{{time}}], utc=True, format={{time_format}}, errors="coerce")
#? time not dates
when = train[{{time}}]
#? time
order = np.argsort(when.to_numpy(), kind="stable")
parts = np.array_split(order, 5)
folds = [(np.setdiff1d(order, part), np.sort(part)) for part in parts]
#?
learn, check = folds[-1]
#? multiclass
# Rare classes stay on the learning side: every model shall know every class.
rare = np.isin(y, np.flatnonzero(np.bincount(y) < 10))
learn, check = np.union1d(learn, np.flatnonzero(rare)), check[~rare[check]]
#?

# Only the columns that test has can be used.
#? left_out
columns = [column for column in test.columns if column not in left_out]
#? not left_out
columns = list(test.columns)
#?
#? id
ids = test[{{id_column}}]
#?
train, test = train[columns], test[columns]

# Each model puts its predictions here, by its name.
check_predictions, test_predictions = {}, {}
