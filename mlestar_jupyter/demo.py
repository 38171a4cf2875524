"""The demo's task: real data that scikit-learn ships, written as a folder in Kaggle's form."""

from __future__ import annotations

from pathlib import Path

DESCRIPTION = """# Diabetes progression

Predict how far diabetes progressed in a year after baseline, from ten measurements of a patient
(Efron, Hastie, Johnstone and Tibshirani: Least Angle Regression, 2004).

* **Metric**: root mean squared error (RMSE), lower is better.
* **Target**: `progression`.
* **Submission**: `patient,progression`, one row per row of `test.csv`.
"""


def write_demo_task(folder: Path) -> Path:
    """Write description, train, test and sample submission; gives the folder."""
    from sklearn.datasets import load_diabetes

    frame = load_diabetes(as_frame=True, scaled=False).frame
    frame = frame.rename(columns={"target": "progression"})
    frame.insert(0, "patient", range(len(frame)))
    frame = frame.sample(frac=1, random_state=0)
    folder.mkdir(parents=True, exist_ok=True)
    test = frame.iloc[:92]
    frame.iloc[92:].to_csv(folder / "train.csv", index=False)
    test.drop(columns="progression").to_csv(folder / "test.csv", index=False)
    sample = test[["patient", "progression"]].assign(progression=150.0)
    sample.to_csv(folder / "sample_submission.csv", index=False)
    (folder / "task_description.md").write_text(DESCRIPTION, encoding="utf-8")
    return folder
