"""Puts the tables of shards together, and counts: merge.py CELLS.csv DIFFERENTIAL.csv SHARD.csv…

Nothing is dropped: rows of images that failed stay rows. Standard library only.
"""

import collections
import csv
import sys

CLINICAL = ["neutrophil", "lymphocyte", "monocyte", "eosinophil", "basophil"]


def merge(cells_path, differential_path, shards):
    header = None
    counts, others = collections.Counter(), collections.Counter()
    with open(cells_path, "w", newline="", encoding="utf-8") as out:
        for path in shards:
            with open(path, newline="", encoding="utf-8") as table:
                first = table.readline()
                if header is None:
                    header = first
                    out.write(first)
                elif first != header:
                    sys.exit(f"{path} has other columns than the shards before it: was it made with another model?")
                body = table.read()
            out.write(body)
            names = next(csv.reader([header]))
            for row in csv.DictReader(body.splitlines(keepends=True), fieldnames=names):
                if row["status"] == "ok":
                    counts[row["label"]] += 1
                else:
                    others[row["status"]] += 1
    total = sum(counts.values())
    rank = {name: i for i, name in enumerate(CLINICAL)}
    with open(differential_path, "w", newline="", encoding="utf-8") as out:
        write = csv.writer(out, lineterminator="\n")
        write.writerow(["label", "count", "percent", "use"])
        for label in sorted(counts, key=lambda l: (rank.get(l.lower(), len(rank)), l)):
            write.writerow([label, counts[label], f"{100 * counts[label] / total:.1f}", "research use only"])
        for status in sorted(others):
            write.writerow([status, others[status], "", "research use only"])


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    merge(sys.argv[1], sys.argv[2], sys.argv[3:])
