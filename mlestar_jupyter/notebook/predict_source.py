"""The source that every predict.py is made of, as templates; each name says what it is."""

from __future__ import annotations

from string import Template

DOCSTRING = Template('''\
"""Predict new rows: python predict.py NEW_ROWS.csv PREDICTIONS.csv${option}

NEW_ROWS is a table (CSV, TSV, Parquet, Feather, JSON lines or Excel) with the columns of
FEATURES below; others are passed over. PREDICTIONS gets the columns of the submission.

${how}

Written by mlestar-jupyter: run ${run}, candidate ${candidate}, ${score}.
"""
''')

REFITS = Template("""\
This refits: no fitted model was kept that gives the predictions alone. The cells of the solution
in solution.ipynb, beside this file, are executed with the rows of ${train} to learn from and the
new rows to predict. It takes as long as fitting does. The data is looked for where it lay, then
beside this file; --data FOLDER says where else.""")

APPLIES = """\
This applies model.joblib, beside this file: the model that solution.ipynb fitted on all rows. On
the rows of test it gave the predictions of submission.csv, as was checked when it was exported."""

COMMON = Template('''\
HERE = Path(__file__).resolve().parent
${features}


def fail(message):
    """End with one line that says what is wrong."""
    sys.exit(f"predict.py: {message}")


def read_table(path):
    """A table, by its suffix${text}."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = suffixes.pop() if suffixes and suffixes[-1] in (".gz", ".zip") else None
    suffix = suffixes[-1] if suffixes else ""
    if suffix in (".csv", ".tsv"):
        separator = "\\t" if suffix == ".tsv" else ","
        return pd.read_csv(path, sep=separator, ${reading})
    if suffix in (".jsonl", ".ndjson"):
        return pd.read_json(path, lines=True, convert_dates=False, dtype=False)
    readers = {
        ".parquet": pd.read_parquet,
        ".feather": pd.read_feather,
        ".xlsx": pd.read_excel,
        ".xls": pd.read_excel,
    }
    if suffix not in readers or packed:
        fail(f"{path.name} is no table that this reads; save it as CSV")
    return readers[suffix](path)


def new_rows(path):
    """The rows to predict, with the columns that a solution is given."""
    if not path.is_file():
        fail(f"no file {path}")
    try:
        rows = read_table(path)
    except (ValueError, OSError, ImportError) as error:
        fail(f"{path.name} cannot be read as a table: {str(error).splitlines()[0]}")
    missing = [name for name in FEATURES if name not in rows.columns]
    if missing:
        fail(f"{path.name} has no column {', '.join(missing)}")
    if not len(rows):
        fail(f"{path.name} has no rows")
    return rows[FEATURES].reset_index(drop=True)


def form_of(rows):
    """The table to fill: a row for each of these."""
${form}
    return sample
''')

IDS = Template("""\
    sample[${id}] = rows[${id}].to_numpy()""")

REFIT_MAIN = Template('''\


def find_data(given):
    """The folder that holds the data."""
    for folder in [given] if given else [${folder}, HERE]:
        if Path(folder, TRAIN).is_file():
            return str(Path(folder).resolve())
    fail(f"{TRAIN} is not there; say with --data FOLDER where the data lies")

${alike}
def solution_cells():
    """The cells of the solution, from the notebook beside this file."""
    path = HERE / "solution.ipynb"
    if not path.is_file():
        fail("solution.ipynb is not beside this file; put it back")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(c["source"]) for c in cells if "block" in c["metadata"].get("mlestar", {})]


def needs_ipython(cells):
    """Whether a cell has magics."""
    try:
        trees = [ast.parse(cell) for cell in cells]
    except SyntaxError:
        return True
    names = {node.id for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return "get_ipython" in names


def run_solution(folder, parameters):
    """Execute the solution in a folder and a process of its own."""
    cells = solution_cells()
    given = "\\n".join(f"{name} = {value!r}" for name, value in parameters.items())
    command = [sys.executable]
    if needs_ipython(cells):
        command += ["-m", "IPython", "--quick", "--no-banner", "--colors=nocolor"]
    script = folder / ("solution.ipy" if "IPython" in command else "solution.py")
    script.write_text("\\n\\n".join([given, *cells]), encoding="utf-8")
    environment = {
        **os.environ,
        **dict.fromkeys(THREADS, "${threads}"),
        "OMP_WAIT_POLICY": "PASSIVE",
        "PYTHONHASHSEED": "0",
        "MPLBACKEND": "agg",
        "IPYTHONDIR": str(folder / ".ipython"),
    }
    done = subprocess.run(
        [*command, script.name], cwd=folder, env=environment, capture_output=True,
        encoding="utf-8", errors="replace",
    )
    if done.returncode:
        sys.stderr.write((done.stderr + done.stdout)[-2000:].rstrip() + "\\n")
        fail("the solution failed on these rows, as told above")


def main():
    """Refit on train and predict the new rows."""
    parser = argparse.ArgumentParser(description="Predict new rows; refits on train.")
    parser.add_argument("new_rows", type=Path, help="a table with the columns of test")
    parser.add_argument("predictions", type=Path, help="the CSV to write")
    parser.add_argument("--data", help=f"the folder that holds {TRAIN}")
    arguments = parser.parse_args()
    if not arguments.predictions.resolve().parent.is_dir():
        fail(f"no folder {arguments.predictions.resolve().parent}")
    if arguments.predictions.resolve() == arguments.new_rows.resolve():
        fail("the predictions would replace the new rows; choose another name")
    rows = new_rows(arguments.new_rows)
    task_folder = find_data(arguments.data)
    print(f"predict.py: refitting on {TRAIN} in {task_folder}", file=sys.stderr)
    if hashlib.sha256(Path(task_folder, TRAIN).read_bytes()).hexdigest() != TRAIN_SHA256:
        print(f"predict.py: note: {TRAIN} is not the file of this run", file=sys.stderr)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
${stage}
        run_solution(
            folder,
            {
${parameters}
            },
        )
        found = folder / "predictions.csv"
        if not found.is_file():
            fail("the solution wrote no predictions")
        written = len(pd.read_csv(found, dtype=str, keep_default_na=False))
        if written != len(rows):
            fail(f"the solution predicted {written} rows, {len(rows)} were asked for")
        partial = arguments.predictions.with_name(f".{arguments.predictions.name}.partial")
        shutil.copyfile(found, partial)
        partial.replace(arguments.predictions)
    print(f"predict.py: {written} rows predicted in {arguments.predictions}", file=sys.stderr)


if __name__ == "__main__":
    main()
''')

ALIKE = '''\

def like_train(rows, train):
    """The new rows with the types that the solution knows from train."""
    for name in rows.columns.intersection(train.columns):
        kind = train[name].dtype
        if rows[name].dtype == kind:
            continue
        if pd.api.types.is_datetime64_any_dtype(kind):
            rows[name] = pd.to_datetime(rows[name])
        elif pd.api.types.is_string_dtype(kind) or kind == object:
            rows[name] = rows[name].where(rows[name].isna(), rows[name].astype(str))
        with contextlib.suppress(ValueError, TypeError):  # such as a missing whole number
            rows[name] = rows[name].astype(kind)
    return rows

'''

APPLY_MAIN = Template('''\


def main():
    """Apply the fitted model to the new rows."""
    parser = argparse.ArgumentParser(description="Predict new rows with the fitted model.")
    parser.add_argument("new_rows", type=Path, help="a table with the columns of test")
    parser.add_argument("predictions", type=Path, help="the CSV to write")
    arguments = parser.parse_args()
    if not arguments.predictions.resolve().parent.is_dir():
        fail(f"no folder {arguments.predictions.resolve().parent}")
    if arguments.predictions.resolve() == arguments.new_rows.resolve():
        fail("the predictions would replace the new rows; choose another name")
    rows = new_rows(arguments.new_rows)
    model = joblib.load(HERE / "model.joblib")
    X = rows[list(getattr(model, "feature_names_in_", ${inputs}))]
    sample = form_of(rows)
${fill}
    sample.to_csv(arguments.predictions, index=False)
    print(f"predict.py: {len(rows)} rows predicted in {arguments.predictions}", file=sys.stderr)


if __name__ == "__main__":
    main()
''')
