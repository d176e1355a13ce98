"""Configuration of the data side: ingest, clean, dedup, tokenize, pack."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from conf.section import Section

Format = Literal[
    "auto", "jsonl", "text", "parquet", "csv", "tsv", "html", "warc", "wet", "python-docs", "delta"
]


class IngestConfig(Section):
    """Which files are read, and the limits on them."""

    inputs: tuple[str, ...] = Field(
        (),
        description="Globs, folders or files, as paths or as fsspec URLs such as hdfs://. "
        "Empty with format python-docs: this Python's documentation.",
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
    format: Format = Field(
        "auto", description="Reader; auto chooses by file extension; delta reads Delta tables."
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
        8 * 2**20, ge=1, description="Largest Python, Markdown or metadata file that python-docs parses."
    )
    split_bytes: int = Field(
        64 * 2**20,
        ge=64 * 2**10,
        description="Larger files of lines are read in parts of so many bytes, twice as many if compressed.",
    )

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


Mode = Annotated[
    Literal["off", "redact", "reject"],
    # YAML reads off and on as false and true.
    BeforeValidator(
        lambda value: {False: "off", True: "redact"}.get(value, value) if value in (0, 1) else value
    ),
]


class PrivacyConfig(Section):
    """Personal data and secrets: `redact` puts a placeholder there, `reject` takes the document out."""

    private_key: Mode = Field("redact", description="Private keys in PEM form.")
    api_key: Mode = Field("redact", description="Keys and tokens of services, by their published formats.")
    email: Mode = Field("redact", description="E-mail addresses.")
    iban: Mode = Field("redact", description="International bank account numbers.")
    credit_card: Mode = Field("redact", description="Payment card numbers.")
    national_id: Mode = Field("redact", description="Numbers of the kinds named in national_ids.")
    ip_address: Mode = Field("redact", description="Public IPv4 and IPv6 addresses; private ranges stay.")
    phone: Mode = Field("redact", description="Phone numbers.")
    phone_regions: tuple[str, ...] = Field(
        (), description="Regions (ISO 3166-1) whose national phone numbers are found; with a + all are."
    )
    national_ids: tuple[str, ...] = Field(
        (), description="Modules of python-stdnum: us.ssn, es.nif, cn.ric, gb.nhs, ..."
    )


Threshold = Annotated[float, Field(allow_inf_nan=True)]
"""A limit of a rule; an infinite one is never met, and what is no number is refused with the rule's name."""


class LanguageConfig(Section):
    """What is different for documents of one language; null: as for all."""

    profile: str | None = Field(None, description="Named list of rules, as `clean.profile`.")
    rules: tuple[str, ...] | None = Field(
        None, description="Names of rules and text steps instead of the profile's list, in their order."
    )
    thresholds: dict[str, Threshold] = Field(
        default_factory=dict, description="Added to those of all languages, whose rules need not be here."
    )
    splitter: str | None = Field(None, description="What parts words, as `clean.splitter`.")


class CleanConfig(Section):
    """Repair, language identification, quality rules, redaction."""

    profile: str = Field(
        "documentation", description="Named list of rules; `ringlake clean --help` lists them."
    )
    rules: tuple[str, ...] | None = Field(
        None, description="Names of rules and text steps instead of the profile's list, in their order."
    )
    thresholds: dict[str, Threshold] = Field(
        default_factory=dict, description="Threshold by rule name, instead of the published one."
    )
    languages: tuple[str, ...] = Field(
        (), description="Languages that stay (ISO 639-1); empty: the profile's own, which may be all."
    )
    min_language_score: float | None = Field(
        None, ge=0, le=1, description="Least probability of those languages; null: the profile's own rule."
    )
    splitter: str | None = Field(
        None,
        description="Words: word_or_punct+icu, word_or_punct, whitespace or icu; null: the profile's own.",
    )
    per_language: dict[str, LanguageConfig] = Field(
        default_factory=dict,
        description="Profile, rules, thresholds and splitter by identified language (ISO 639-1).",
    )
    stop_words: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="Words of gopher.stop_words.min by language; English has the paper's.",
    )
    url_blocklist: tuple[str, ...] = Field(
        (), description="Files of domains and URL prefixes, one a line; documents found there are rejected."
    )
    word_blocklist: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="Files of words and phrases by language; 'all' for every language."
    )
    boilerplate: tuple[str, ...] = Field(
        (), description="Files of lines that the step boilerplate.lines drops besides its own."
    )
    repair: bool | None = Field(
        None,
        description="Repair encoding, Unicode form, white space before judging; null: the profile's own.",
    )
    privacy: PrivacyConfig = Field(default_factory=PrivacyConfig)


class DedupConfig(Section):
    """Exact and near deduplication, and the split."""

    url: bool = Field(
        False, description="Documents of one web address are duplicates too, whatever their texts say."
    )
    method: Literal["exact", "minhash"] = Field(
        "minhash",
        description="exact: equal texts are duplicates; minhash: also texts that share most shingles.",
    )
    unit: Literal["words", "characters"] = Field("words", description="What a shingle is made of.")
    ngram: int = Field(5, ge=1, le=50, description="Words, or characters, in a shingle.")
    bands: int = Field(14, ge=1, le=256, description="LSH bands (buckets a document falls into).")
    rows: int = Field(8, ge=1, le=64, description="MinHash values in a band.")
    seed: int = Field(1, ge=0, lt=2**32, description="Seed of the MinHash permutations.")
    verify_threshold: float | None = Field(
        None,
        gt=0,
        le=1,
        description="Least true Jaccard similarity of two documents of a bucket; null: a bucket is enough.",
    )
    keep: Literal["longest", "first"] = Field(
        "longest",
        description="Who stays of a cluster: the longest text, or the first by source; then by doc_id.",
    )
    history: str | None = Field(
        None,
        min_length=1,
        description="Folder or URL of the signatures of earlier batches, which this one is compared with and "
        "added to; null: the documents are compared with one another only.",
    )
    batch: str | None = Field(
        None, min_length=1, description="Name of this batch in the history; null: the lake's path or URL."
    )
    max_rounds: int = Field(50, ge=1, description="Limit of connected-components rounds; more is an error.")
    validation_fraction: float = Field(0.02, ge=0, lt=1, description="Share of documents held out, by hash.")
    split_seed: int = Field(1, ge=0, lt=2**32, description="Seed of the split.")

    @model_validator(mode="after")
    def _verifiable(self) -> DedupConfig:
        if self.verify_threshold is not None and self.history is not None:
            raise ValueError(
                f"verify_threshold = {self.verify_threshold} needs the texts of both documents, and "
                f"history = {self.history!r} keeps signatures only; leave one of them out"
            )
        return self


class TokenizeConfig(Section):
    """The tokenizer, how it is trained, and what encodes with it."""

    vocab_size: int = Field(
        4096, ge=257, le=2**20, description="Entries, the 256 bytes and special ones included."
    )
    model: Literal["bpe", "unigram"] = Field("bpe", description="What is trained, over bytes of words.")
    min_frequency: int = Field(2, ge=1, description="Pairs rarer than this are not merged (bpe).")
    special_tokens: tuple[str, ...] = Field(
        (), description="Further special tokens of the vocabulary; no text is ever encoded as one."
    )
    engine: Literal["auto", "tokenizers", "gigatoken"] = Field(
        "auto",
        description="Library that encodes; auto: gigatoken where it proves to give the same ids.",
    )
    sample_bytes: int = Field(
        64 * 2**20,
        ge=1,
        description="UTF-8 bytes of training text the tokenizer is trained on, chosen by hash.",
    )
    distinct_bytes: int = Field(
        16 * 2**20,
        ge=1,
        description="UTF-8 bytes of distinct words after which the sample ends; training takes about 130 "
        "times as much memory.",
    )
    tokenizer: str | None = Field(
        None, description="Folder or tokenizer.json to use instead of training one."
    )
    end_token: str | None = Field(
        None,
        min_length=1,
        description="Token that ends a document in that tokenizer; null: the eos_token of its configuration.",
    )

    @model_validator(mode="after")
    def _distinct_special_tokens(self) -> TokenizeConfig:
        if len(set(self.special_tokens)) < len(self.special_tokens) or "" in self.special_tokens:
            raise ValueError(f"special_tokens = {list(self.special_tokens)} names one twice or an empty one")
        return self


class PackConfig(Section):
    """Fixed-length sequences in a global shuffle."""

    method: Literal["concat", "best_fit"] = Field(
        "concat",
        description="concat cuts one stream of documents evenly; best_fit cuts no document that fits a "
        "sequence, and pads.",
    )

    sequence_length: int = Field(256, ge=8, le=2**20, description="Tokens in a sequence.")
    seed: int = Field(1, ge=0, lt=2**32, description="Seed of document order and of the global shuffle.")
    rows_per_group: int = Field(
        256, ge=1, le=2**20, description="Sequences in a Parquet row group: the unit that a reader fetches."
    )
    rows_per_file: int = Field(
        8192,
        ge=1,
        description="Sequences in a file, a multiple of rows_per_group. Both are doubled until a split has "
        "at most 16,384 files.",
    )

    @model_validator(mode="after")
    def _whole_groups(self) -> PackConfig:
        if self.rows_per_file % self.rows_per_group:
            raise ValueError(
                f"rows_per_file = {self.rows_per_file} must be a multiple of rows_per_group = "
                f"{self.rows_per_group}, so that no row group is cut by the end of a file"
            )
        return self
