"""A step that drops lines which belong to a page and not to its text: banners, menus, buttons, footers.

No published profile has it. A line goes if it is short and one of

- a cookie or consent banner: it speaks of cookies and of consenting, settings or a policy;
- a button: nothing but "share this", "subscribe", "read more", "back to top" and the like;
- a menu: three or more separators (| · • › » /) between items of few words, without a full stop;
- a footer: it begins with a copyright sign and a year, or ends in "all rights reserved";
- a line of the user's own lists (`clean.boilerplate`), compared without regard to case and white space; an
  entry that ends in * is the beginning of a line.

Phrases are those of English, German, French, Spanish, Portuguese, Italian and Chinese pages.
"""

from __future__ import annotations

import re

import pyarrow as pa

from pipelines.clean.lists import LineList
from pipelines.clean.rules.rule import Step
from pipelines.clean.stats import BatchStats

_OWN = "ringlake's own"

MAX_CHARACTERS = 300
"""A longer line is a paragraph; one that says what cookies are is a text about them."""

_COOKIES = re.compile(r"\bcookies?\b|\bcookie-|浏览器缓存|使用\s?cookie", re.IGNORECASE)
_CONSENT = re.compile(
    r"\b(?:accept|agree|consent|allow|reject|decline|manage|preferences|settings|policy|by continuing"
    r"|we use|uses? cookies|our website|this (?:web)?site|akzeptieren|zustimmen|einverstanden|ablehnen"
    r"|einstellungen|verwenden|verwendet|datenschutz\w*|accepter|refuser|acceptez|param[eé]trer|utilisons|utilise"
    r"|aceptar|acepta|rechazar|utilizamos|utiliza|pol[ií]tica|aceitar|recusar|usamos|accetta|accettare|rifiuta"
    r"|utilizziamo|utilizza)\b|接受|同意|拒绝|设置|政策",
    re.IGNORECASE,
)

# A button has one of these and perhaps where to: nothing else stands in its line.
_BUTTON = re.compile(
    r"(?:(?:please )?(?:share|tweet|pin|like|follow|e-?mail|print|save|bookmark)"
    r"(?: (?:this|us|it|me))?(?: (?:article|page|post|story|now))?(?: (?:on|via|by|to|with|at) .{1,30})?"
    r"|share (?:this|via|on)\b.{0,40}"
    r"|(?:log|sign) ?(?:in|up|out)(?: (?:now|here|or .{1,20}|to .{1,30}))?|register(?: now)?|my account"
    r"|subscribe(?: (?:now|here|to .{1,40}))?|(?:sign up|subscribe) (?:for|to) (?:our"
    r"|the) .{0,30}newsletter.{0,20}"
    r"|read more|learn more|show more|load more|see (?:more|all)|more info(?:rmation)?|continue reading"
    r"|click here.{0,30}|skip to (?:main )?(?:content|navigation)|back to top|go to top|scroll to top"
    r"|(?:leave|post|add) a (?:comment|reply)|no comments(?: yet)?|\d+ comments?|add to (?:cart|basket"
    r"|wishlist)"
    r"|related (?:articles|posts|stories|links)|you may also like|advertisement|sponsored(?: content)?"
    r"|previous(?: (?:post|article|page))?|next(?: (?:post|article|page))?|home|menu|search|close"
    r"|contact(?: us)?"
    r"|about us|site ?map|privacy(?: policy)?|terms(?: (?:of (?:use|service)|and conditions"
    r"|& conditions))?|imprint"
    r"|teilen|weiterlesen|mehr (?:lesen|erfahren)|anmelden|abmelden|registrieren|impressum|datenschutz"
    r"|agb|kontakt"
    r"|startseite|nach oben|zum inhalt(?: springen)?|anzeige|newsletter(?: abonnieren)?"
    r"|partager(?: sur .{1,20})?|lire la suite|en savoir plus|se connecter|s'inscrire|accueil"
    r"|mentions l[eé]gales"
    r"|compartir(?: en .{1,20})?|leer m[aá]s|iniciar sesi[oó]n|reg[ií]strate|inicio|aviso legal"
    r"|compartilhar|leia mais|entrar|condividi(?: su .{1,20})?|leggi (?:tutto|di pi[uù])|accedi"
    r"|分享(?:到.{0,10})?|阅读(?:更多|全文)|查看更多|更多|登录|登陆|注册|首页|返回顶部|联系我们|关于我们|上一篇|下一篇|收藏|打印)"
    r"[\s.!…:>»›→↑]*",
    re.IGNORECASE,
)
_BULLETS = " \t•·*-–—|»›>←→↑#"

_SEPARATOR = re.compile(r"\s[|·•›»>/]\s?|\s?[|·•›»]\s")
_MENU_SEPARATORS = 3
_MAX_ITEM_WORDS = 4
_MAX_ITEM_CHARACTERS = 30

_COPYRIGHT = re.compile(
    r"\W{0,3}(?:(?:copyright\s{0,3})?(?:©|\(c\)|&copy;)|copyright)[^.\n]{0,60}?(?:19|20)\d\d"
    r"|.{0,200}(?:\ball rights reserved|\balle rechte vorbehalten|\btous droits r[eé]serv[eé]s"
    r"|\btodos los derechos reservados|\btodos os direitos reservados|\btutti i diritti riservati|版权所有"
    r"|保留所有权利)"
    r"\W{0,3}$",
    re.IGNORECASE,
)


def is_boilerplate(line: str) -> bool:
    """Whether a line is a banner, a button, a menu or a footer.

    Example:
        >>> is_boilerplate("Home | News | Sport | Contact")
        True
    """
    stripped = line.strip()
    if not stripped or len(stripped) > MAX_CHARACTERS:
        return False
    if _BUTTON.fullmatch(stripped.strip(_BULLETS)):
        return True
    if _COOKIES.search(stripped) and _CONSENT.search(stripped):
        return True
    return _is_menu(stripped) or bool(_COPYRIGHT.match(stripped))


def drop_lines(text: str, own: LineList | None = None) -> str:
    """The text without its lines of boilerplate.

    Args:
        text: The text.
        own: Lines of the user's.
    """
    own = own or LineList()
    lines = text.split("\n")
    kept = [line for line in lines if not (is_boilerplate(line) or line in own)]
    return text if len(kept) == len(lines) else "\n".join(kept).strip("\n")


def _is_menu(line: str) -> bool:
    # A line that begins with a bar is a row of a table in Markdown or reStructuredText.
    if line.startswith("|") or line.endswith((".", "!", "?", "。")):
        return False
    items = [item.strip() for item in _SEPARATOR.split(line)]
    if len(items) <= _MENU_SEPARATORS:
        return False
    return all(
        len(item) <= _MAX_ITEM_CHARACTERS
        and len(item.split()) <= _MAX_ITEM_WORDS
        and not any(map(str.isdecimal, item))
        for item in items
    )


def _apply(stats: BatchStats) -> pa.LargeStringArray:
    own = stats.resources.boilerplate
    return pa.array([drop_lines(text, own) for text in stats.texts.to_pylist()], pa.large_string())


STEPS: tuple[Step, ...] = (
    Step(
        "boilerplate.lines",
        _apply,
        "Drops lines of at most 300 characters that are cookie banners, buttons, menus, copyright "
        "footers, or on "
        "the user's lists.",
        _OWN,
        counts_lines=True,
    ),
)
