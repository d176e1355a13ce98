"""Errors become one paragraph that names the cause."""

from pipelines.run.console import printable
from pipelines.run.failure import explain


def test_a_plain_error_keeps_kind_and_message() -> None:
    assert (
        explain(ValueError("steps is 0, it must be at least 1"))
        == "ValueError: steps is 0, it must be at least 1"
    )
    assert explain(KeyError()) == "KeyError"


def test_a_python_workers_error_is_found_in_sparks_text() -> None:
    text = (
        "An error occurred while calling o1.save.\n: org.apache.spark.SparkException: Job aborted\n"
        "Traceback (most recent call last):\n"
        '  File "/x/worker.py", line 1, in main\n    process()\n'
        "ValueError: row 7 is longer than 10\n\n\tat org.apache.spark.Foo\n"
        "Caused by: java.lang.Boom\n"
    )
    assert explain(RuntimeError(text)) == "ValueError: row 7 is longer than 10"


def test_the_deepest_java_cause_is_named() -> None:
    text = (
        "An error occurred\nCaused by: org.apache.spark.A: outer\n\tat x\n"
        "Caused by: java.io.IOException: No space left"
    )
    assert explain(RuntimeError(text)) == "java.io.IOException: No space left"


def test_text_cannot_steer_the_terminal() -> None:
    assert printable("a\x1b[31mb\u202ec\x00") == "a\\x1b[31mb\\u202ec\\x00"
    assert printable("naïve 文件 😀\n") == "naïve 文件 😀\n"
