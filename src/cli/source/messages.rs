//! Words the errors of files that are not YAML: what was found, and what to do about it.

use granit_parser::{ErrorKind, ScanError, Span};

use super::error_site::ErrorSite;
use super::scalar::quoted;
use super::{Position, SourceError};

/// Words the error at which the parser stopped.
pub(super) fn of(error: &ScanError, text: &str) -> SourceError {
    let place = Position::of(error.marker());
    ErrorSite { text, place }.parser_error(error.kind())
}

/// Words the error for an alias without its anchor.
pub(super) fn unknown_alias(text: &str, place: Position) -> SourceError {
    let site = ErrorSite { text, place };
    let name = site.value();
    let name = name.strip_prefix('*').unwrap_or(&name);
    let name = name.split([' ', ':']).next().unwrap_or_default();
    site.unquoted('*', &format!(", but there is no anchor `&{name}` above"))
}

/// Words the error for an anchor or a tag without a value; it ends at this place or before it.
pub(super) fn empty_property(text: &str, place: Position) -> SourceError {
    let here = ErrorSite { text, place };
    let before: String = here
        .line()
        .chars()
        .take(place.column.saturating_sub(1))
        .collect();
    let at = before.rfind(['&', '!']).unwrap_or_default();
    let column = before.get(..at).unwrap_or_default().chars().count();
    let site = here.at(column.saturating_add(1));
    let first = site.rest().chars().next().unwrap_or('!');
    site.unquoted(first, ", but no value follows it")
}

/// Words the error for a list or a map in place of a field's name.
pub(super) fn no_name(text: &str, place: Position) -> SourceError {
    let site = ErrorSite { text, place };
    let before = site.at(place.column.saturating_sub(1).max(1));
    // `{{` comes from a template language.
    let site = if before.rest().starts_with("{{") {
        before
    } else {
        site
    };
    let first = site.rest().chars().next().unwrap_or('{');
    match first {
        '{' | '[' => site.unquoted(first, ", which cannot be the name of a field"),
        _ => {
            site.error("the name of a field must be text: write it on one line, followed by a `:`")
        }
    }
}

/// Returns the error for a surrogate escape in a double-quoted text: JSON allows them, Envoy's YAML does not. `is_json`
/// tells whether the whole file is JSON, and is read as such.
pub(super) fn surrogates(
    text: &str,
    span: &Span,
    is_json: impl FnOnce() -> bool,
) -> Option<SourceError> {
    let written = text.get(span.start.byte_offset()?..span.end.byte_offset()?)?;
    if !has_half(written) || is_json() {
        return None;
    }
    let place = Position::of(&span.start);
    let site = ErrorSite { text, place }.escape(span.end.line(), is_half)?;
    Some(site.error(
        "Envoy does not support surrogate pairs in YAML: write the character itself, or `\\U` and eight digits",
    ))
}

/// Whether a text contains an escape of a surrogate.
fn has_half(written: &str) -> bool {
    let mut rest = written;
    while let Some(at) = rest.find('\\') {
        let escape = rest.get(at..).unwrap_or_default();
        if is_half(escape) {
            return true;
        }
        // The escaped character cannot start another escape.
        let mut behind = escape.chars();
        behind.nth(1);
        rest = behind.as_str();
    }
    false
}

/// Whether an escape is one of `\ud800` to `\udfff`.
fn is_half(escape: &str) -> bool {
    let digit = |at: usize| escape.as_bytes().get(at).copied().unwrap_or_default();
    escape.starts_with("\\u")
        && digit(2).eq_ignore_ascii_case(&b'd')
        && b"89abcdefABCDEF".contains(&digit(3))
}

/// Returns the error for a line end that only some readers recognise.
pub(super) fn lone_return(text: &str) -> Option<SourceError> {
    let mut lines = text.lines().enumerate();
    lines.find_map(|(above, line)| {
        let at = line.find('\r')?;
        let place = Position {
            line: above.saturating_add(1),
            column: line.get(..at)?.chars().count().saturating_add(1),
        };
        let message = "there is a carriage return (U+000D) without a line feed here, which only some parsers treat as \
                       the end of a line: end lines with a line feed";
        Some(ErrorSite { text, place }.error(message))
    })
}

impl ErrorSite<'_> {
    fn tabbed(self) -> SourceError {
        self.error("there is a tab here, but YAML must be indented with spaces")
    }

    fn parser_error(self, kind: &ErrorKind) -> SourceError {
        use ErrorKind as Is;
        let first = self.rest().chars().next().unwrap_or(' ');
        match kind {
            Is::UnknownAnchor => unknown_alias(self.text, self.place),
            Is::MissingAnchorOrAliasName => self.unquoted(first, ", but no name follows it"),
            Is::InvalidBlockScalarHeader | Is::ZeroBlockScalarIndent => self.unquoted(first, ""),
            Is::UnexpectedCharacter { character } => self.character(*character),
            Is::UnclosedFlowCollection { open } => self.unquoted(*open, &format!(", but no `{0}` ends it: add the \
                                                                                  `{0}`", closing(*open))),
            Is::MismatchedFlowCollectionEnd { open, close } => self.error(format!(
                "the `{open}` that begins here is closed with `{close}`: close it with `{}`",
                closing(*open)
            )),
            Is::MisplacedFlowCollectionEnd => self.error(format!(
                "there is nothing that this `{first}` could close: remove it, or if it is text, quote all of it"
            )),
            Is::UnclosedQuotedScalar => self.error(format!(
                "the quoted text that begins here does not end: add {first} after it"
            )),
            Is::InvalidQuotedScalarIndent | Is::DocumentIndicatorInQuotedScalar => self.error(
                "quoted text that began above continues here: add the closing quote above, or indent this line",
            ),
            Is::InvalidTrailingSingleQuotedScalar => self.error(
                "the quoted text ends before this: quote all of it, and write a ' inside it twice, as ''",
            ),
            Is::InvalidTrailingDoubleQuotedScalar => self.error(
                "the quoted text ends before this: quote all of it, and write a \" inside it as \\\"",
            ),
            Is::UnknownQuotedScalarEscape
            | Is::InvalidQuotedScalarHexEscape
            | Is::InvalidLowSurrogateHexEscape
            | Is::InvalidLowSurrogate
            | Is::MissingLowSurrogate
            | Is::UnpairedLowSurrogate
            | Is::InvalidUnicodeEscape => self.bad_escape(kind),
            Is::MappingValueNotAllowed | Is::InvalidColonPlacement | Is::InvalidMappingValueWhitespace => self.colon(),
            Is::BlockSequenceEntryNotAllowed
            | Is::BlockEntryInFlowCollection
            | Is::InvalidBlockEntryWhitespace
            | Is::PlainScalarStartsWithDashFlowIndicator => self.unquoted('-', ", which must be on a separate line"),
            Is::MappingKeyNotAllowed => self.unquoted('?', ""),
            Is::TabNotAllowed
            | Is::TabInBlockIndentation
            | Is::TabAtBlockScalarStart
            | Is::TabInIndentation
            | Is::TabInPlainScalar => self.tab().tabbed(),
            Is::RecursionLimitExceeded => self.error("lists and maps are nested too deeply here: at most 64 levels are \
                                                     allowed"),
            Is::BomInsideDocument => self.error("there is an invisible byte order mark (U+FEFF) here: remove it"),
            Is::UndeclaredTagHandle
            | Is::MissingTagUri
            | Is::UnclosedVerbatimTag
            | Is::InvalidTagTerminator
            | Is::InvalidGlobalTagCharacter
            | Is::ExpectedTagBang
            | Is::InvalidTagEscape
            | Is::InvalidTagUtf8LeadingByte
            | Is::InvalidTagUtf8TrailingByte
            | Is::InvalidTagUtf8 => self.unquoted('!', ""),
            Is::ExpectedFlowMappingSeparator | Is::UnexpectedEofFlowMapping => {
                self.error("a `,` is missing before this, or the `}` that ends the map")
            }
            Is::ExpectedFlowSequenceSeparator | Is::UnexpectedEofFlowSequence => {
                self.error("a `,` is missing before this, or the `]` that ends the list")
            }
            Is::UnexpectedEofImplicitFlowMapping => self.error("a value is missing before this: remove a `,`"),
            Is::ExpectedDocumentStart
            | Is::InvalidDocumentEnd
            | Is::MissingDocumentEndBeforeDirective
            | Is::UnsupportedYamlMajorVersion
            | Is::DuplicateVersionDirective
            | Is::InvalidDirectiveTerminator => self.document(),
            Is::CommentNotSeparated => self.error("a comment needs a space before its `#`: add one, or if it is text, \
                                                  quote all of it"),
            Is::CommentInterceptedScalar => self.error("there is a comment inside a text of several lines: move it \
                                                       above the text, or quote the text"),
            _ => self.indentation(),
        }
    }

    fn character(self, character: char) -> SourceError {
        if character.is_control() {
            // The parser reports where its text begins.
            let before = self
                .rest()
                .chars()
                .take_while(|char| *char != character)
                .count();
            let place = self.at(self.place.column.saturating_add(before));
            return place.error(format!(
                "there is an invisible control character (U+{:04X}) here: remove it",
                u32::from(character)
            ));
        }
        self.unquoted(character, "")
    }

    fn bad_escape(self, kind: &ErrorKind) -> SourceError {
        let known = "0abtnvfre \"/\\N_LPxuU\t";
        let digits = |escape: &str| {
            let length = match escape.chars().nth(1) {
                Some('x') => 2,
                Some('u') => 4,
                _ => 8,
            };
            let digits = escape.chars().skip(2).take(length);
            digits.filter(char::is_ascii_hexdigit).count() == length
        };
        let is_it = |escape: &str| match kind {
            ErrorKind::UnknownQuotedScalarEscape => escape
                .chars()
                .nth(1)
                .is_some_and(|char| !known.contains(char)),
            ErrorKind::InvalidQuotedScalarHexEscape => {
                escape
                    .chars()
                    .nth(1)
                    .is_some_and(|char| "xuU".contains(char))
                    && !digits(escape)
            }
            _ => escape.starts_with("\\u") || escape.starts_with("\\U"),
        };
        let lines = self.text.lines().count();
        let site = self.escape(lines, is_it).unwrap_or(self);
        let escape: String = site.rest().chars().take(2).collect();
        site.error(match kind {
            ErrorKind::UnknownQuotedScalarEscape => format!(
                "`{escape}` is not an escape sequence in double quotes: write `\\{escape}` for a backslash, or use \
                 single quotes, where a backslash is an ordinary character"
            ),
            ErrorKind::InvalidQuotedScalarHexEscape => {
                format!("`{escape}` must be followed by hexadecimal digits: two for `\\x`, four for `\\u`, eight for \
                         `\\U`; a backslash is written `\\\\`")
            }
            _ => "this escape is not a valid character: write the character itself, or `\\U` and eight digits".to_owned(),
        })
    }

    /// Words the error for a `:` in a place where none is allowed.
    fn colon(self) -> SourceError {
        let before: String = self
            .line()
            .chars()
            .take(self.place.column.saturating_sub(1))
            .collect();
        // The value behind the first of two colons.
        let first = before.find(": ").map(|at| at.saturating_add(2));
        if let Some(value) = first.and_then(|at| before.get(at..)) {
            let before_value = before.chars().count().saturating_sub(value.chars().count());
            let spaces = value.chars().take_while(|char| *char == ' ').count();
            let at = self.at(before_value.saturating_add(spaces).saturating_add(1));
            let value = at.value();
            if !value.starts_with(['[', '{', '"', '\'']) && !value.is_empty() {
                return self.error(format!(
                    "there is a second `:` in one line: if it is text, quote it: {}",
                    quoted(&value)
                ));
            }
        }
        let lines = self.text.lines().take(self.place.line.saturating_sub(1));
        let above = lines
            .filter(|line| !line.trim().is_empty())
            .last()
            .unwrap_or_default();
        if let Some((name, value)) = joined(above) {
            return self.error(format!(
                "the line above is one text and not a field, because there is no space after its `:`: write `{name}: \
                 {value}`"
            ));
        }
        if above.matches(['[', '{']).count() > above.matches([']', '}']).count() {
            return self.error(
                "a list or map that began above continues here: add the `]` or `}` that ends it",
            );
        }
        self.error(
            "a `:` is not allowed here, because the field above already has a value. Indent this line like its \
             neighbours, or quote it if it is text",
        )
    }

    fn document(self) -> SourceError {
        // The parser reports a line that begins with `%` at its end.
        let at = self.at(1);
        if self.line().starts_with('%') {
            return at.unquoted('%', " at the beginning of a line");
        }
        if self
            .line_at(self.place.line.saturating_sub(1))
            .starts_with('%')
        {
            return self.error("after a line that begins with `%`, the document must begin with `---`: remove the line \
                              above");
        }
        self.error("the document ended before this: remove it, or indent it like its neighbours")
    }

    /// Words the error for a line whose indentation fits no line above.
    fn indentation(self) -> SourceError {
        if self.line().trim_start_matches(' ').starts_with('\t') {
            return self.tab().tabbed();
        }
        if let Some((name, value)) = joined(self.line()) {
            return self.error(format!(
                "this is one text and not a field, because there is no space after its `:`: write `{name}: {value}`"
            ));
        }
        if let Some((site, first)) = self.bad_beginning() {
            return site.unquoted(first, "");
        }
        self.error(
            "this line belongs to nothing above it: indent it exactly like its neighbours, or if it is part of a \
             text, quote all of that",
        )
    }
}

/// Splits a line that is one text because the space between name and value is missing.
fn joined(line: &str) -> Option<(&str, &str)> {
    let line = line.trim().trim_start_matches("- ");
    let (name, value) = line.split_once(':')?;
    let is_field = !value.is_empty() && !value.starts_with([' ', '/']) && !name.contains(' ');
    is_field.then_some((name, value))
}

fn closing(open: char) -> char {
    match open {
        '[' => ']',
        _ => '}',
    }
}
