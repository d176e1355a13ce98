"""A script of a user in a folder of its own: what launch and a data stage say of the Python of the tasks.

Usage: python unfit_driver.py MASTER JARS. It starts an application, prints a line of JSON, and ends with the
exit code that the command would have. It must be started where PYTHONPATH does not lead to ringlake.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from pyspark.sql import SparkSession

from conf.spark import SparkConfig
from pipelines.errors import RinglakeError
from pipelines.run.failure import as_ringlake_error
from pipelines.session import open_session
from training.errors import TrainingError
from training.launch import LaunchOptions, launch


def main() -> int:
    settings: dict[str, Any] = {
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.executor.memory": "1g",
        "spark.log.level": "OFF",
        "spark.jars": sys.argv[2],
    }
    spark = SparkSession.builder.master(sys.argv[1]).config(map=settings).getOrCreate()
    said: dict[str, Any] = {}
    code = 0
    try:
        # Standard output is the answer's alone: executors may still be waited for.
        launch(int, 1, spark=spark, options=LaunchOptions(say=lambda line: print(line, file=sys.stderr)))
    except TrainingError as error:
        said["launch"], said["kind"] = str(error), type(error).__name__
        code = as_ringlake_error("train", error).exit_code
    try:
        open_session(SparkConfig(), "a data stage")
    except RinglakeError as error:
        said["stage"], said["stage_code"] = str(error), error.exit_code
    print(json.dumps(said), flush=True)
    spark.stop()
    return code


if __name__ == "__main__":
    sys.exit(main())
