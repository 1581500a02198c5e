//! Characters that mean nothing here: quotes, comments and operators of word processors and of other languages, letters that
//! look like others, and what cannot be seen at all.

use super::{Scanner, TokenKind, is_word};
use crate::diagnostic::{Applicability, Diagnostic};
use crate::source::{SourceFile, Span};

/// The closing quotes that go with an opening one.
fn closing_quotes(open: char) -> Option<&'static [char]> {
    Some(match open {
        '\'' => &['\''],
        '`' => &['`', '\''],
        '“' | '”' | '„' | '‟' => &['”', '“', '"', '‟'],
        '‘' | '’' | '‚' | '‛' => &['’', '‘', '\'', '‛'],
        '«' | '»' => &['»', '«'],
        '‹' | '›' => &['›', '‹'],
        '＂' => &['＂', '"'],
        _ => return None,
    })
}

/// What a sign of a word processor or a mathematician says in our words.
fn plain_operator(sign: char) -> Option<&'static str> {
    Some(match sign {
        '–' | '—' | '−' | '‐' | '‑' | '－' => "-",
        '≥' | '⩾' | '⊇' => ">=",
        '≤' | '⩽' | '⊆' => "<=",
        '≠' | '≢' => "!=",
        '＝' | '≡' | '≟' => "==",
        '…' | '‥' => "..",
        '×' | '·' | '⋅' | '∗' => "*",
        '÷' | '∕' | '⁄' => "/",
        '∧' | '⋀' => "and",
        '∨' | '⋁' => "or",
        '¬' => "not ",
        '∈' => "in",
        '∉' => "not in",
        '→' | '⇒' => "->",
        '（' => "(",
        '）' => ")",
        '｛' => "{",
        '｝' => "}",
        '［' => "[",
        '］' => "]",
        '，' | '、' => ",",
        '：' => ":",
        '．' => ".",
        '＜' => "<",
        '＞' => ">",
        '＋' => "+",
        '＊' => "*",
        '／' => "/",
        '％' => "%",
        '＠' => "@",
        '＃' => "#",
        _ => return None,
    })
}

/// The ASCII letter or digit that a letter of another script looks like, and that script.
fn lookalike(letter: char) -> Option<(char, &'static str)> {
    const CYRILLIC: &str = "аaвbсcеeһhіiјjкkӏlмmоoрpԛqѕsтtѵvԝwхxуyАAВBСCЕEНHІIЈJКKМMОOРPЅSТTХXУYԚQԜW";
    const GREEK: &str = "αaγyιiκkνvοoρpτtυuχxΑAΒBΕEΖZΗHΙIΚKΜMΝNΟOΡPΤTΥYΧX";
    for (table, script) in [(CYRILLIC, "Cyrillic"), (GREEK, "Greek")] {
        let mut letters = table.chars();
        while let (Some(foreign), Some(plain)) = (letters.next(), letters.next()) {
            if foreign == letter {
                return Some((plain, script));
            }
        }
    }
    match letter {
        // Full-width forms are ASCII at a distance.
        '０'..='９' | 'Ａ'..='Ｚ' | 'ａ'..='ｚ' | '＿' => {
            let plain = u32::from(letter).checked_sub(0xfee0).and_then(char::from_u32)?;
            Some((plain, "full-width"))
        }
        _ => None,
    }
}

/// Characters that nobody sees and that change how text reads: they let a rule say something else than it shows.
fn hidden(character: char) -> Option<&'static str> {
    Some(match character {
        '\u{202a}' | '\u{202b}' | '\u{202d}' | '\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{202c}' => {
            "changes the direction of text"
        }
        '\u{200e}' | '\u{200f}' | '\u{61c}' => "marks the direction of text",
        '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' | '\u{ad}' => "has no width",
        _ => return None,
    })
}

/// Only what changes the direction is dangerous where any text may stand.
fn turns_text(character: char) -> bool {
    hidden(character).is_some_and(|what| what == "changes the direction of text")
}

fn is_blank(character: char) -> bool {
    character.is_whitespace() || matches!(character, '\u{2800}' | '\u{3164}')
}

/// A character for a message: itself, or its number when it cannot be shown.
fn shown(character: char) -> String {
    if character.is_control() || hidden(character).is_some() || is_blank(character) {
        format!("U+{:04X}", u32::from(character))
    } else {
        character.to_string()
    }
}

/// In bytes: so far a comment of another language is looked at.
const LONGEST_COMMENT: usize = 400;

impl Scanner<'_> {
    /// Something outside of ASCII, which has no meaning outside of strings and comments.
    pub(super) fn foreign(&mut self) {
        let Some(first) = self.rest().chars().next() else { return };
        let length = first.len_utf8();
        if first == '\u{feff}' && self.at == 0 {
            // A byte order mark, left by an editor.
            self.at += length;
            self.line_start = self.at;
        } else if let Some(what) = hidden(first) {
            let span = self.span(self.at, self.at + length);
            self.problems.push(
                Diagnostic::error("hidden-character", format!("there is a character here that {what}"))
                    .at(span, shown(first))
                    .correct("leave it out", span, ""),
            );
            self.at += length;
        } else if is_blank(first) {
            let run = self.run_of(is_blank);
            let span = self.span(self.at, self.at + run);
            self.problems.push(
                Diagnostic::error("unexpected-character", format!("`{}` is not a plain space", shown(first)))
                    .at(span, "a blank of another kind")
                    .correct("this blank is not a plain space; use one", span, " "),
            );
            self.at += run;
        } else if closing_quotes(first).is_some() {
            self.foreign_string(first);
        } else if let Some(plain) = plain_operator(first) {
            let span = self.span(self.at, self.at + length);
            self.problems.push(
                Diagnostic::error("unexpected-character", format!("`{first}` has no meaning here"))
                    .at(span, "not part of the language")
                    .correct(format!("write `{}`", plain.trim_end()), span, plain),
            );
            self.at += length;
        } else if let Some(currency) = currency_sign(first) {
            self.currency_sign(currency, length);
        } else if first.is_alphanumeric() {
            self.foreign_word();
        } else {
            self.no_meaning();
        }
    }

    /// A name with letters that are not ASCII, from its first letter on.
    fn foreign_word(&mut self) {
        // Its ASCII part was taken for a word already.
        let begun = self.tokens.last().filter(|token| {
            token.end == self.at && matches!(token.kind, TokenKind::Word | TokenKind::Number | TokenKind::ListName)
        });
        let start = begun.map_or(self.at, |token| token.start);
        if begun.is_some() {
            let begun = self.tokens.pop();
            // As if we had not come so far, so that it is known whether the word starts a line.
            self.at = begun.map_or(self.at, |token| token.start);
        }
        let listed = usize::from(self.peek(0) == Some(b'@'));
        let text = self.source.text.get(start..).unwrap_or_default();
        let letters = text.get(listed..).unwrap_or_default();
        let length = letters.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(letters.len()) + listed;
        let word = text.get(..length).unwrap_or_default();
        let span = self.span(start, start + length);
        let odd = word.chars().find(|c| !c.is_ascii());
        let plain: Option<String> =
            word.chars().map(|c| if c.is_ascii() { Some(c) } else { lookalike(c).map(|(plain, _)| plain) }).collect();
        let finding = Diagnostic::error("unexpected-character", format!("`{word}` is not a name"));
        self.problems.push(match (plain, odd.and_then(|odd| Some((odd, lookalike(odd)?)))) {
            (Some(plain), Some((odd, (letter, script)))) => finding
                .at(span, format!("its `{odd}` is {script}, and only looks like `{letter}`"))
                .correct(format!("write `{plain}` in plain letters"), span, plain),
            _ => {
                self.foreign_names.push(span);
                finding
                    .at(span, "not made of ASCII letters, digits and `_`")
                    .help("write the name in ASCII letters; anything may stand in a string or a comment")
            }
        });
        let kind = if listed == 1 { TokenKind::ListName } else { TokenKind::Word };
        self.token(kind, start + length);
    }

    /// `€30`, `30 €`
    fn currency_sign(&mut self, currency: &'static str, length: usize) {
        let span = self.span(self.at, self.at + length);
        let sign = self.source.text.get(self.at..self.at + length).unwrap_or_default();
        let finding = Diagnostic::error("unexpected-character", format!("`{sign}` has no meaning here"))
            .at(span, "a currency is three capitals");
        let after = self.tokens.last().filter(|token| token.kind == TokenKind::Number);
        let glued = after.is_some_and(|token| token.end == self.at);
        let blank = if glued { " " } else { "" };
        self.problems.push(match after {
            Some(_) => {
                finding.correct(format!("write `{currency}` behind the amount"), span, format!("{blank}{currency}"))
            }
            None => {
                let rest = self.source.text.get(self.at + length..).unwrap_or_default();
                let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(rest.len());
                let ends = !rest.get(digits..).unwrap_or_default().starts_with(['.', ',', '\'']);
                let amount = rest.get(..digits).unwrap_or_default();
                let behind = self.span(self.at + length + digits, self.at + length + digits);
                match amount.is_empty() || !ends {
                    true => finding.help(format!("write the amount first: `30 {currency}`")),
                    false => finding.with_edits(
                        format!("write `{amount} {currency}`"),
                        [(span, String::new()), (behind, format!(" {currency}"))],
                        Applicability::Certain,
                    ),
                }
            }
        });
        self.at += length;
    }

    /// `'…'`, `“…”` and their like; without a closing quote on the line, a string that never ends.
    pub(super) fn foreign_string(&mut self, open: char) {
        if self.rest().starts_with("```") {
            return self.code_fence();
        }
        let length = open.len_utf8();
        let source = self.source;
        let inner = source.text.get(self.at + length..).unwrap_or_default();
        let closing = closing_quotes(open).unwrap_or_default();
        let stop = inner.find(|c: char| closing.contains(&c) || matches!(c, '\n' | '\r'));
        let close = stop.and_then(|stop| inner.get(stop..)?.chars().next()).filter(|c| closing.contains(c));
        let (Some(close), Some(text)) = (close, inner.get(..stop.unwrap_or_default())) else {
            let end = self.at + length + inner.get(..stop.unwrap_or(inner.len())).unwrap_or_default().trim_end().len();
            let span = self.span(self.at, end);
            self.problems.push(
                Diagnostic::error("unclosed-string", "this string never ends")
                    .at(span, "a string ends on the line it starts on")
                    .help("put it between two `\"`"),
            );
            self.token(TokenKind::Text, end);
            return;
        };
        let (kind, called) = if open.is_ascii() {
            ("single-quotes", "single quotes")
        } else {
            ("curly-quotes", "quotes of a word processor")
        };
        let end = self.at + length + text.len() + close.len_utf8();
        let span = self.span(self.at, end);
        let replacement = format!("\"{}\"", text.replace('"', "\\\""));
        self.problems.push(Diagnostic::error(kind, "strings are written in double quotes").at(span, called).correct(
            format!("write `{replacement}`"),
            span,
            replacement,
        ));
        self.token(TokenKind::Text, end);
    }

    /// What stands around rules in a document.
    fn code_fence(&mut self) {
        let fence = self.rest().find(['\n', '\r']).unwrap_or(self.rest().len());
        let span = self.span(self.at, self.at + fence);
        self.problems.push(
            Diagnostic::error("unexpected-character", "a code fence has no meaning here")
                .at(span, "not part of the language")
                .correct("leave it out", span, ""),
        );
        self.at += fence;
    }

    /// Where a string ends that has no closing quote on its line.
    pub(super) fn unclosed_string(&mut self) -> usize {
        let line = self.rest().split(['\n', '\r']).next().unwrap_or_default().trim_end();
        let end = self.at + line.len();
        let curly = line.char_indices().find(|(_, c)| matches!(c, '”' | '“' | '„' | '＂'));
        if let Some((at, quote)) = curly {
            let close = self.span(self.at + at, self.at + at + quote.len_utf8());
            let start = self.span(self.at, self.at + 1);
            self.problems.push(
                Diagnostic::error("curly-quotes", "strings are written in double quotes")
                    .at(close, "a quote of a word processor")
                    .also(start, "this string ends there?")
                    .correct("write `\"`", close, "\""),
            );
            // The string itself is in the way of nothing once that is done; its start is, until then.
            return self.at + at + quote.len_utf8();
        }
        let whole = self.span(self.at, end);
        self.problems.push(
            Diagnostic::error("unclosed-string", "this string never ends")
                .at(whole, "a string ends on the line it starts on")
                .suggest("close it with `\"`; write `\\n` for a line break", whole.after(), "\""),
        );
        end
    }

    /// `// …` and `-- …`: whoever writes so means the rest of the line.
    pub(super) fn foreign_comment(&mut self, sign: &'static str) {
        let span = self.span(self.at, self.at + sign.len());
        self.problems.push(
            Diagnostic::error("wrong-operator", format!("`{sign}` does not start a comment"))
                .at(span, "not an operator")
                .correct("comments start with `#`", span, "#"),
        );
        self.at += self.rest().find(['\n', '\r']).unwrap_or(self.rest().len());
    }

    /// Whether the rest of the line, from this far on, closes more brackets than it opens: then it is no comment.
    pub(super) fn closes_more(&self, ahead: usize) -> bool {
        let line = self.source.text.as_bytes().get(self.at + ahead..).unwrap_or_default().iter().take(LONGEST_COMMENT);
        let mut open = 0_i32;
        for byte in line.take_while(|byte| !matches!(byte, b'\n' | b'\r')) {
            match byte {
                b'{' | b'(' | b'[' => open += 1,
                b'}' | b')' | b']' => open -= 1,
                _ => {}
            }
        }
        open < 0
    }

    /// Reports characters inside a string or a comment that make it read as something else.
    pub(super) fn hidden_characters(&mut self, start: usize, end: usize, string: bool) {
        let text = self.source.text.get(start..end).unwrap_or_default();
        if text.is_ascii() {
            return;
        }
        for (at, character) in text.char_indices().filter(|(_, character)| turns_text(*character)) {
            let span = self.span(start + at, start + at + character.len_utf8());
            let finding =
                Diagnostic::error("hidden-character", "there is a character here that changes the direction of text")
                    .at(span, shown(character));
            let escape = format!("\\u{{{:x}}}", u32::from(character));
            self.problems.push(if string {
                finding.correct(format!("write it as `{escape}`, so that everybody sees it"), span, escape)
            } else {
                finding.correct("leave it out: what follows may be read in another order than it stands", span, "")
            });
        }
    }

    /// A run of characters without a meaning.
    pub(super) fn no_meaning(&mut self) {
        let Some(first) = self.rest().chars().next() else { return };
        let same = |c: char| {
            c == first
                || (!first.is_ascii()
                    && !c.is_ascii()
                    && !c.is_alphanumeric()
                    && !is_blank(c)
                    && closing_quotes(c).is_none())
        };
        // A terminal's colour comes with its parameters.
        let colour = self.rest().strip_prefix("\u{1b}[").map(|rest| {
            let length = rest.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap_or(rest.len());
            2 + (length + 1).min(rest.len())
        });
        let run = colour.filter(|run| self.rest().is_char_boundary(*run)).unwrap_or_else(|| self.run_of(same));
        self.has_nulls |= first == '\0';
        let span = self.span(self.at, self.at + run);
        let text: String = self.rest().get(..run).unwrap_or_default().chars().take(20).collect();
        let text = if first.is_ascii_control() || first.is_control() { shown(first) } else { text };
        let finding = Diagnostic::error("unexpected-character", format!("`{text}` has no meaning here"))
            .at(span, "not part of the language");
        self.problems.push(match first {
            '\0' => finding.help("the file is damaged, or not plain text: save it as UTF-8"),
            '$' if self.peek(run).is_some_and(is_word) && !self.peek(run).is_some_and(|byte| byte.is_ascii_digit()) => {
                finding.correct("names stand without `$`", span, "")
            }
            '$' => finding.help("write the amount first, and its currency in three capitals: `30 USD`"),
            '^' | '~' => finding.help("the operators are `+`, `-`, `*`, `/`, `??` and comparisons"),
            '\\' => finding.help("lines go on by themselves; leave it out"),
            first if first.is_control() => finding.correct("leave it out", span, ""),
            _ => finding
                .help("names are made of ASCII letters, digits and `_`; anything may stand in a string or a comment"),
        });
        self.at += run;
    }

    /// The length of the characters from here on of which this holds.
    fn run_of(&self, holds: impl Fn(char) -> bool) -> usize {
        let rest = self.rest();
        rest.find(|c: char| !holds(c)).unwrap_or(rest.len())
    }
}

/// The currency a sign stands for, where it is only one.
fn currency_sign(sign: char) -> Option<&'static str> {
    Some(match sign {
        '€' => "EUR",
        '£' => "GBP",
        '₹' => "INR",
        '₩' => "KRW",
        '₪' => "ILS",
        '₽' => "RUB",
        '₺' => "TRY",
        '₴' => "UAH",
        '₦' => "NGN",
        '₫' => "VND",
        _ => return None,
    })
}

/// The finding for text in two-byte characters that was read as one-byte ones: every other byte is NUL. Asked where some
/// are neither in comments nor in texts: within those they are nobody's business, and their share depends on the layout.
pub(super) fn two_byte_text(source: &SourceFile) -> Option<Diagnostic> {
    let nulls = source.text.bytes().filter(|byte| *byte == 0).count();
    (nulls > 3 && nulls * 3 > source.text.len()).then(|| {
        Diagnostic::error("not-utf8", format!("`{}` is UTF-16 text", source.name))
            .at(Span::new(source.id, 0, 0), "")
            .help("save it as UTF-8")
    })
}
