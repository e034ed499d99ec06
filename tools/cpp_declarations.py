"""Splits a C++ header into declarations with their docstrings: as much of a parser as check_briefs needs."""
import dataclasses
import re

TOKEN = re.compile(r'''(?P<doc>^[ \t]*///(?!<)[^\n]*)|(?P<comment>//[^\n]*|/\*.*?\*/)
                   |(?P<directive>^[ \t]*\#(?:\\\n|[^\n])*)
                   |(?P<string>R"\((?:.|\n)*?\)"|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])')
                   |(?P<newline>\n)|(?P<mark>[{}()\[\];:])|(?P<text>[^\n{}()\[\];:"'/\#]+|.)''',
                   re.VERBOSE | re.MULTILINE | re.DOTALL)
NAMESPACE = re.compile(r"(inline\s+)?namespace\b")
CLASS = re.compile(r"(template\s*<.*>\s*(requires\b.*)?)?(class|struct|union)\b")

REQUIRES_EXPRESSION = re.compile(r"(requires|=|&&|\|\|)\s*requires\s*(\([^{}]*\))?\s*$")


@dataclasses.dataclass
class Declaration:
    line: int  # where the declaration begins
    doc: list  # the docstring's lines without their slashes
    head: str  # everything up to its ; or {, white space collapsed
    scope: str  # namespace, class or other
    internal: bool  # below a namespace detail
    has_body: bool  # ends in { rather than ;


class Parser:
    def __init__(self, text):
        self.text = text
        self.scopes = []  # (kind, internal)
        self.found = []
        self.reset()

    def reset(self):
        self.head, self.doc, self.doc_line, self.line, self.nesting = "", [], 0, 0, 0

    def scope(self):
        return self.scopes[-1] if self.scopes else ("namespace", False)

    def emit(self, has_body):
        head = " ".join(self.head.split())
        kind, internal = self.scope()
        if head and kind != "other":
            self.found.append(Declaration(self.line, self.doc, head, kind, internal, has_body))

    def open(self):
        head = " ".join(self.head.split())
        kind, internal = self.scope()
        if kind != "other" and NAMESPACE.match(head):
            self.scopes.append(("namespace", internal or re.search(r"\bdetail\b", head) is not None))
        else:
            self.emit(has_body=True)
            is_class = kind != "other" and CLASS.match(head) and "=" not in head.split("(")[0].split(">")[-1]
            self.scopes.append(("class" if is_class else "other", internal))
        self.reset()

    def mark(self, char, line):
        if char in "([" or (char == "{" and (self.nesting > 0 or REQUIRES_EXPRESSION.search(self.head))):
            self.nesting += 1
        elif char in ")]" or (char == "}" and self.nesting > 0):
            self.nesting -= 1
        elif self.nesting == 0 and char == "{":
            return self.open()
        elif self.nesting == 0 and char == "}":
            if self.scopes:
                self.scopes.pop()
            return self.reset()
        elif self.nesting == 0 and char == ";":
            self.emit(has_body=False)
            return self.reset()
        self.head += char
        if re.fullmatch(r"\s*(public|private|protected)\s*:", self.head):
            self.reset()

    def parse(self):
        line = 1
        for token in TOKEN.finditer(self.text):
            value, kind = token[0], token.lastgroup
            if kind == "doc":
                if self.doc and self.doc_line != line - 1:
                    self.doc = []
                self.doc.append(value.strip()[3:].strip())
                self.doc_line = line
            elif kind in ("mark", "string", "text"):
                if value.strip() and not self.head.strip():
                    self.line = line
                    if self.doc_line != line - 1:
                        self.doc = []  # a blank line between: it describes something else
                if kind == "mark":
                    self.mark(value, line)
                else:
                    self.head += value
            elif kind == "newline":
                self.head += " "
            line += value.count("\n")
        return self.found


def declarations(text):
    """Returns the declarations of namespaces and classes in the order of the text, function bodies left out."""
    return Parser(text).parse()
