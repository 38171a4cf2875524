# Side tables, joined by their keys; their columns carry the table's name.
side = Path(data_dir)
