"""One reader of token sequences in one process: writes its format, or measures how fast batches come.

    python benchmarks/readers.py write NAME TOKENS.npy FOLDER
    python benchmarks/readers.py read NAME FOLDER RANK WORLD_SIZE SECONDS ROUNDS

The interpreter is that of the environment that has the library; nothing of ringlake is imported but for its
own reader. `read` goes once through the rank's part, so that the files are in memory and what it gives can
be told, prints a line, waits for a line, and measures. There are no worker processes. Batches are 8 x 1024.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

BATCH, LENGTH, SEED = 8, 1024, 7

MARK = "@ "
"""Begins a line of this script: libraries write to standard output, too."""

Batches = Iterator[Any]
"""Arrays or CPU tensors of (8, 1024) tokens; the last ones of an epoch may have fewer rows."""

Reader = Callable[[Path, int, int, int, int], Batches]
"""Takes the folder, the rank, the number of ranks, the first epoch and the one after the last."""

MANY_EPOCHS = 10**6
"""More than a measurement reads."""


def ringlake(folder: Path, rank: int, world_size: int, first: int, end: int) -> Batches:
    from training.data.layout import read_layout
    from training.data.plan import SamplePlan
    from training.data.reader import SequenceReader
    from training.data.schedule import training_schedule
    from training.data.snapshot import DataFile, Snapshot

    # As the launcher tells it: all ranks are on this machine and share its cores.
    os.environ["HOROVOD_LOCAL_SIZE"] = str(world_size)
    described = json.loads((folder / "snapshot.json").read_text())
    files = tuple(DataFile(**file) for file in described.pop("files"))
    layout = read_layout(Snapshot(**described, files=files))
    # A batch of the plan is a global one: 8 rows for each rank. Four canonical shards are the default.
    plan = SamplePlan(layout.num_sequences, SEED, BATCH * world_size, 4, layout.block_rows)
    steps = plan.steps_per_epoch
    schedule = training_schedule(plan, rank, world_size, first * steps, end * steps)
    with SequenceReader(layout, schedule, described["vocab_size"]) as reader:
        for batch in reader:
            yield batch.input_ids


def pyarrow_loop(folder: Path, rank: int, world_size: int, first: int, end: int) -> Batches:
    import pyarrow as pa
    import pyarrow.parquet as pq

    described = json.loads((folder / "snapshot.json").read_text())
    opened = [pq.ParquetFile(file["path"]) for file in described["files"]]
    groups = [(file, number) for file in opened for number in range(file.num_row_groups)]
    for epoch in range(first, end):
        generator = np.random.default_rng((SEED, epoch))
        turns = generator.permutation(len(groups))[rank::world_size]
        for file, number in (groups[turn] for turn in turns):
            column = file.read_row_group(number, columns=["input_ids"], use_threads=False)["input_ids"]
            _, offsets, values = pa.concat_arrays(column.chunks).buffers()
            begin = int(np.frombuffer(offsets, np.int32)[0])
            rows = np.frombuffer(values, np.uint16, len(column) * LENGTH, begin).reshape(-1, LENGTH)
            order = generator.permutation(len(rows))
            for low in range(0, len(rows), BATCH):
                yield rows[order[low : low + BATCH]]


def numpy_memmap(folder: Path, rank: int, world_size: int, epoch: int) -> Batches:
    rows = np.load(folder / "tokens.npy", mmap_mode="r")
    order = np.random.default_rng((SEED, epoch)).permutation(len(rows))[rank::world_size]
    for low in range(0, len(order), BATCH):
        yield rows[order[low : low + BATCH]]


def petastorm(folder: Path, rank: int, world_size: int, first: int, end: int) -> Batches:
    from petastorm import make_batch_reader

    described = json.loads((folder / "snapshot.json").read_text())
    place = Path(described["files"][0]["path"]).parent
    with make_batch_reader(
        f"file://{place}",
        schema_fields=["input_ids"],
        reader_pool_type="thread",
        workers_count=2,
        shuffle_row_groups=True,
        shuffle_rows=True,
        seed=SEED + first,
        num_epochs=end - first,
        cur_shard=rank if world_size > 1 else None,
        shard_count=world_size if world_size > 1 else None,
    ) as reader:
        for group in reader:
            rows = np.stack([np.frombuffer(row, np.uint16) for row in group.input_ids])
            for low in range(0, len(rows), BATCH):
                yield rows[low : low + BATCH]


def streaming(folder: Path, rank: int, world_size: int, epoch: int) -> Batches:
    from torch.utils.data import DataLoader

    key = (rank, world_size)
    if key not in _OPEN:
        from streaming import StreamingDataset

        # Its own way to tell the ranks apart; it keeps count of the epochs itself.
        os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world_size)}
        os.environ |= {"LOCAL_WORLD_SIZE": str(world_size), "MASTER_ADDR": "127.0.0.1"}
        dataset = StreamingDataset(
            local=str(folder / "mds"), shuffle=True, shuffle_seed=SEED, batch_size=BATCH
        )
        _OPEN[key] = DataLoader(
            dataset,
            batch_size=BATCH,
            num_workers=0,
            collate_fn=lambda rows: np.stack([row["t"] for row in rows]),
        )
    yield from _OPEN[key]


def webdataset(folder: Path, rank: int, world_size: int, epoch: int) -> Batches:
    import random

    import webdataset as wds

    shards = sorted(str(file) for file in (folder / "wds").glob("*.tar"))
    random.Random(SEED + epoch).shuffle(shards)
    source = wds.WebDataset(shards[rank::world_size], shardshuffle=False, empty_check=False)
    samples = source.shuffle(1000, rng=random.Random(SEED + epoch))
    batch = []
    for sample in samples:
        batch.append(np.frombuffer(sample["bin"], dtype=np.uint16))
        if len(batch) == BATCH:
            yield np.stack(batch)
            batch = []
    if batch:
        yield np.stack(batch)


def litdata(folder: Path, rank: int, world_size: int, epoch: int) -> Batches:
    key = (rank, world_size)
    if key not in _OPEN:
        os.environ |= {"WORLD_SIZE": str(world_size), "GLOBAL_RANK": str(rank)}
        os.environ["DATA_OPTIMIZER_CACHE_FOLDER"] = str(folder / f"litdata-cache-{rank}-of-{world_size}")
        from litdata import StreamingDataLoader, StreamingDataset, TokensLoader

        dataset = StreamingDataset(
            str(folder / "litdata"), item_loader=TokensLoader(block_size=LENGTH), shuffle=True, seed=SEED
        )
        _OPEN[key] = StreamingDataLoader(dataset, batch_size=BATCH, num_workers=0)
    yield from _OPEN[key]


def each_epoch(read_epoch: Callable[[Path, int, int, int], Batches]) -> Reader:
    """For what is started anew in every epoch."""

    def read(folder: Path, rank: int, world_size: int, first: int, end: int) -> Batches:
        for epoch in range(first, end):
            yield from read_epoch(folder, rank, world_size, epoch)

    return read


_OPEN: dict[Any, Any] = {}
"""What a reader keeps from one epoch to the next."""

READERS: dict[str, Reader] = {
    "ringlake": ringlake,
    "pyarrow": pyarrow_loop,
    "numpy": each_epoch(numpy_memmap),
    "petastorm": petastorm,
    "streaming": each_epoch(streaming),
    "webdataset": each_epoch(webdataset),
    "litdata": each_epoch(litdata),
}
"""Each gives the batches of a rank's part of the epochs [first, end), every epoch in an order of its own."""


def write_streaming(tokens: Any, folder: Path) -> None:
    from streaming import MDSWriter

    with MDSWriter(out=str(folder / "mds"), columns={"t": f"ndarray:uint16:{LENGTH}"}) as out:
        for row in tokens:
            out.write({"t": np.array(row)})


def write_webdataset(tokens: Any, folder: Path) -> None:
    import webdataset as wds

    (folder / "wds").mkdir()
    with wds.ShardWriter(str(folder / "wds" / "%05d.tar"), maxcount=1024, verbose=0) as out:
        for number, row in enumerate(tokens):
            out.write({"__key__": f"{number:08d}", "bin": row.tobytes()})


def write_litdata(tokens: Any, folder: Path) -> None:
    from litdata import TokensLoader
    from litdata.streaming.writer import BinaryWriter

    out = BinaryWriter(
        str(folder / "litdata"), chunk_size=1024 * LENGTH, chunk_index=0, item_loader=TokensLoader(LENGTH)
    )
    for number, row in enumerate(tokens):
        out.add_item(number, np.array(row))
    out.done()
    out.merge(1)


WRITERS: dict[str, Callable[[Any, Path], None]] = {
    "streaming": write_streaming,
    "webdataset": write_webdataset,
    "litdata": write_litdata,
}


def measure(batches: Batches, seconds: float, clock: Callable[[], float] = time.perf_counter) -> float:
    """Tokens a second over at least so many seconds."""
    begin = now = clock()
    tokens = 0
    for batch in batches:
        tokens += batch.shape[0] * batch.shape[1]
        now = clock()
        if now - begin >= seconds:
            break
    return tokens / (now - begin)


def content(batches: Batches) -> dict[str, int]:
    """Rows, and a sum that says which tokens these were in whatever order."""
    rows, total = 0, 0
    for batch in batches:
        values = np.asarray(batch).astype(np.int64)
        rows, total = rows + len(values), total + int((values * values).sum())
    return {"rows": rows, "checksum": total}


def read(name: str, folder: Path, rank: int, world_size: int, seconds: float, rounds: int) -> None:
    """Check, say so, wait, measure, say so."""
    print(MARK + json.dumps(content(READERS[name](folder, rank, world_size, 0, 1))), flush=True)
    sys.stdin.readline()
    batches = READERS[name](folder, rank, world_size, 1, MANY_EPOCHS)
    print(MARK + json.dumps([measure(batches, seconds) for _ in range(rounds)]), flush=True)
    # Threads and shared memory of the libraries would have their say at the end, too.
    os._exit(0)


if __name__ == "__main__":
    action, name, *rest = sys.argv[1:]
    if action == "write":
        WRITERS[name](np.load(rest[0], mmap_mode="r"), Path(rest[1]))
    else:
        read(name, Path(rest[0]), int(rest[1]), int(rest[2]), float(rest[3]), int(rest[4]))
