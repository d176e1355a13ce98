"""Section `ingest`: which files are read, and how."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from conf.patterns import first_group
from conf.section import Extended, Section

Format = Literal[
    "auto",
    "jsonl",
    "text",
    "parquet",
    "csv",
    "tsv",
    "html",
    "warc",
    "wet",
    "python-docs",
    "delta",
    "chat",
    "squad",
    "catalogues",
    "python-chats",
]
"""Ringlake's own; others are those of installed extensions, which are known where files are read."""

_LABELLED_BY_THEMSELVES = {
    "delta": "whose rows may have one each: label_field",
    "squad": "whose labels are the questions",
}
"""Formats to whose documents the name of a file says nothing, and what does."""


class IngestConfig(Section):
    """Which files are read, and the limits on them."""

    inputs: tuple[str, ...] = Field(
        (),
        description="Globs, folders or files, as paths or as fsspec URLs such as hdfs://; package:NAME/PATH "
        "names files of an installed package. Empty with format python-docs: this Python's documentation; "
        "with format catalogues: the message catalogues of installed packages; with format python-chats: "
        "this Python's standard library.",
    )
    max_quarantined_share: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Share of the records that may be quarantined; with more, or with no document at all, "
        "ingest ends with an exit code of its own. The default tells a wrong setting (another text_field, "
        "format or delimiter costs nearly all records) from what crawls lose anyway, whose pages often have "
        "no main text; lower it for input that should be clean. 1: any share, as long as a document is left.",
    )
    format: Format | Extended = Field(
        "auto",
        description="Reader; auto chooses by file extension; delta reads Delta tables. Other names are those "
        "of installed extensions.",
    )
    text_field: str = Field(
        "text",
        min_length=1,
        description="JSONL field, or column of CSV, TSV and Parquet, that holds the text; in CSV and TSV "
        "also a column's number from 1.",
    )
    id_field: str = Field("id", min_length=1, description="Field that holds the source's own id.")
    url_field: str = Field("url", min_length=1, description="Field that holds the document's address.")
    target_field: str | None = Field(
        None, min_length=1, description="Field with the other side of a parallel pair; null: no pairs."
    )
    label_field: str | None = Field(
        None,
        min_length=1,
        description="Field with the class of a text, for a task that learns it; null: no labels.",
    )
    label_pattern: str | None = Field(
        None,
        min_length=1,
        max_length=1000,
        description="Regular expression (RE2) whose first group, found in a file's name as the tables have "
        "it, is the class of all texts of the file, e.g. ([^/]+)/[^/]+$ for its folder; null: no labels by "
        "name.",
    )
    metadata_fields: tuple[str, ...] = Field((), description="Fields that are kept as text in `metadata`.")
    header: bool = Field(True, description="Whether the first line of a CSV or TSV file names the columns.")
    columns: tuple[str, ...] = Field(
        (),
        description="Names of the columns of CSV and TSV without a header; empty: 1, 2, 3, as many as the "
        "first line has.",
    )
    delimiter: str | None = Field(
        None,
        pattern=r"^[\x01-\x09\x0b\x0c\x0e-\x21\x23-\x7e]$",
        description="Character between the fields of CSV and TSV; null: a comma in CSV, a tab in TSV.",
    )
    quoting: Literal["auto", "double", "none"] = Field(
        "auto",
        description='Whether " quotes a field of CSV and TSV; auto: in CSV yes, in TSV it is a character.',
    )
    extractor: Literal["trafilatura", "resiliparse"] = Field(
        "trafilatura", description="What finds the main text of HTML; resiliparse is faster and less exact."
    )
    text_unit: Literal["line", "paragraph", "file"] = Field(
        "line", description="What is one document in a plain text file; paragraphs are parted by blank lines."
    )
    max_document_bytes: int = Field(
        8 * 2**20, ge=1, description="Longest document in bytes of UTF-8; longer ones are quarantined."
    )
    max_file_bytes: int = Field(
        2 * 2**30, ge=1, description="Largest (decompressed) file in bytes; larger ones are quarantined."
    )
    max_expansion: int = Field(
        500,
        ge=1,
        description="Decompressed bytes for each stored byte, checked beyond 32 MiB; more is a bomb.",
    )
    max_html_bytes: int = Field(
        8 * 2**20, ge=1, description="Largest HTML page in bytes; larger ones are quarantined."
    )
    max_html_tags: int = Field(
        50_000,
        ge=1,
        description="Most opening angle brackets of an HTML page, which bound the time it takes.",
    )
    max_source_bytes: int = Field(
        8 * 2**20,
        ge=1,
        description="Largest Python, Markdown or metadata file that python-docs and python-chats parse, and "
        "largest message catalogue.",
    )
    max_squad_bytes: int = Field(
        64 * 2**20,
        ge=1,
        description="Largest file in SQuAD's layout, parsed as a whole (SQuAD 2.0 has 42 MB); larger "
        "ones are quarantined.",
    )
    catalogue_languages: tuple[str, ...] = Field(
        ("zh_CN", "zh_Hans", "zh"),
        description="Languages of the installed packages' message catalogues that format catalogues reads "
        "without inputs: the names of the folders around LC_MESSAGES.",
    )
    split_bytes: int = Field(
        64 * 2**20,
        ge=64 * 2**10,
        description="Larger files of lines are read in parts of so many bytes, twice as many if compressed.",
    )

    @model_validator(mode="after")
    def _one_source_of_labels(self) -> IngestConfig:
        if self.label_pattern is None:
            return self
        if self.label_field is not None:
            raise ValueError(
                f"label_field = {self.label_field!r} and label_pattern = {self.label_pattern!r} both say "
                "what a label is; leave one of them out"
            )
        if self.format in _LABELLED_BY_THEMSELVES:
            raise ValueError(
                f"label_pattern = {self.label_pattern!r} does not go with format {self.format}, "
                f"{_LABELLED_BY_THEMSELVES[self.format]}; leave label_pattern out"
            )
        first_group(self.label_pattern, "")
        return self

    @model_validator(mode="after")
    def _names_of_columns(self) -> IngestConfig:
        if self.columns and self.header:
            raise ValueError(
                f"columns = {list(self.columns)} are names for files without a header: set header to false, "
                "or leave columns out and take the names of the header"
            )
        if len(set(self.columns)) != len(self.columns):
            raise ValueError(f"columns = {list(self.columns)} has a name twice")
        return self
