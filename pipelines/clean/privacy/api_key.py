"""Keys and tokens of services, by the formats that their issuers publish.

Each has a prefix that nobody writes by chance, and a length. Passwords and secrets without a form of their
own cannot be told from other words and are not looked for, but for those that follow "Bearer" (RFC 6750,
2.1) and AWS's secret behind its variable's name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.clean.privacy.detector import Span
from pipelines.clean.privacy.traits import TOKEN


@dataclass(frozen=True)
class KeyFormat:
    """The form of an issuer's keys.

    Attributes:
        issuer: Who hands them out.
        pattern: The key; what has to stand before it as a look-behind or outside the group `key`.
        source: Where the form is published.
    """

    issuer: str
    pattern: str
    source: str


FORMATS: tuple[KeyFormat, ...] = (
    KeyFormat(
        "AWS, access key id",
        r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}",
        "AWS IAM user guide, IAM identifiers, unique ids; base32",
    ),
    KeyFormat(
        "AWS, secret access key",
        r"(?i:aws_?secret_?access_?key|SecretAccessKey)[\"']?[ \t]{0,3}[:=>][ \t]{0,3}[\"']?"
        r"(?P<aws>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])",
        "AWS IAM user guide, access keys: 40 characters, beside the name that the tools read",
    ),
    KeyFormat(
        "GitHub",
        r"gh[pousr]_[A-Za-z0-9]{36,251}|github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}",
        "GitHub engineering blog 2021, Behind GitHub's new authentication token formats; GitHub docs",
    ),
    KeyFormat(
        "GitLab",
        r"gl(?:pat|oas|dt|rt|cbt|ptt|ft|soat|agent)-[A-Za-z0-9_-]{20,64}",
        "GitLab docs, security, token overview, token prefixes",
    ),
    KeyFormat(
        "Slack",
        r"xox[abeoprs]-(?=[A-Za-z-]{0,64}\d)[A-Za-z0-9-]{10,250}|xapp-\d-[A-Za-z0-9-]{10,250}",
        "Slack API docs, token types",
    ),
    KeyFormat(
        "Slack, webhook",
        r"hooks\.slack\.com/services/(?P<slack>T[A-Z0-9]{8,12}/B[A-Z0-9]{8,12}/[A-Za-z0-9]{24})",
        "Slack API docs, incoming webhooks",
    ),
    KeyFormat(
        "Google, API key", r"AIza[A-Za-z0-9_-]{35}", "Google Cloud docs, API keys; 39 characters from AIza"
    ),
    KeyFormat(
        "Google, OAuth",
        r"ya29\.[A-Za-z0-9_-]{20,2048}|GOCSPX-[A-Za-z0-9_-]{28}",
        "Google identity docs, OAuth 2.0 access tokens and client secrets",
    ),
    KeyFormat(
        "Stripe",
        r"(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{16,247}|whsec_[A-Za-z0-9]{24,64}",
        "Stripe docs, API keys and webhook signing secrets",
    ),
    KeyFormat(
        "OpenAI, Anthropic",
        r"sk-(?:(?:proj|svcacct|admin|ant|or)-(?=[A-Za-z_-]{0,64}\d)[A-Za-z0-9_-]{20,250}|[A-Za-z0-9]{32,64})",
        "OpenAI and Anthropic API references, authentication",
    ),
    KeyFormat("Hugging Face", r"hf_[A-Za-z]{34}", "Hugging Face docs, user access tokens"),
    KeyFormat("npm", r"npm_[A-Za-z0-9]{36}", "GitHub changelog 2021, npm has a new access token format"),
    KeyFormat("PyPI", r"pypi-AgEI[A-Za-z0-9_-]{50,250}", "PyPI help, API tokens; secret scanning partners"),
    KeyFormat("SendGrid", r"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}", "SendGrid docs, API keys"),
    KeyFormat("DigitalOcean", r"do[opr]_v1_[a-f0-9]{64}", "DigitalOcean API reference, token prefixes"),
    KeyFormat(
        "JSON web token",
        r"eyJ[A-Za-z0-9_-]{8,4096}\.eyJ[A-Za-z0-9_-]{8,8192}\.[A-Za-z0-9_-]{16,2048}",
        "RFC 7519, 3.1: three base64url parts, the first two JSON objects",
    ),
    KeyFormat(
        "bearer token",
        r"[Bb]earer[ \t](?=[A-Za-z._~+/-]{0,64}\d)(?P<bearer>[A-Za-z0-9._~+/-]{20,2048}={0,2})",
        "RFC 6750, 2.1: b64token; here of 20 characters or more with a digit",
    ),
)

# A key begins and ends where a run of its characters does, or inside the underscores of emphasis; that keeps
# matching linear as well.
_BEFORE = r"(?:(?<![A-Za-z0-9_-])|(?<=_)(?<![A-Za-z0-9_-]_))"
_AFTER = r"(?![A-Za-z0-9-])(?!_[A-Za-z0-9_-])"
_PATTERN = re.compile(_BEFORE + "(?:" + "|".join(form.pattern for form in FORMATS) + ")" + _AFTER)


class ApiKey:
    """Finds keys and tokens.

    Example:
        >>> list(ApiKey().find("key = AKIAIOSFODNN7EXAMPLE"))
        [(6, 26)]
    """

    kind = "api_key"
    needs = TOKEN

    def find(self, text: str) -> Iterator[Span]:
        """Begin and end of each key."""
        return (match.span(match.lastgroup or 0) for match in _PATTERN.finditer(text))
