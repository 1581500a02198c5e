//! `rates from "rates.csv"`: what one unit of a base is worth in other currencies.

use grammar::{Diagnostic, Span, ast};
use rust_decimal::Decimal;

use super::{Checker, declare::csv_cells, resolve::Typed};
use crate::{codes::Currency, lists::moment, rates::Rates};

const COLUMNS: &str = "the columns are base, currency, rate, from: `EUR,USD,1.0842,2026-01-01`, or leave `from` empty";

impl Checker<'_> {
    pub(super) fn rates(&mut self, item: &ast::Rates) {
        if let Some(first) = self.rates_span {
            self.report(
                Diagnostic::error("duplicate-name", "the pack has rates already")
                    .at(item.span, "named again here")
                    .also(first, "first named here")
                    .help("put all rates into one file"),
            );
            return;
        }
        self.rates_span = Some(item.span);
        let Some(text) = self.pack_file(&item.path) else { return };
        let mut rates: Option<Rates> = None;
        let wrong = |checker: &mut Self, line: usize, what: String, help: &str| {
            let text = format!("line {line} of `{}`: {what}", item.path.value);
            checker.report(Diagnostic::error("bad-rate", text).at(item.path.span, "in this file").help(help));
        };
        for (number, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line.trim())) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let cells = csv_cells(line);
            let [base, currency, rate, from @ ..] = cells.as_slice() else {
                wrong(self, number, "a rate has three columns, or four".to_owned(), COLUMNS);
                continue;
            };
            if rates.is_none() && base == "base" && currency == "currency" {
                continue;
            }
            match read(base, currency, rate, from) {
                Ok((base, currency, rate, from)) => {
                    let rates = rates.get_or_insert_with(|| Rates::of(base));
                    if rates.base() != base {
                        let what = format!("the base is {}, and this is a rate of {base}", rates.base());
                        wrong(self, number, what, "give all rates for one unit of the same currency");
                    } else if !rates.add(currency, rate, from) {
                        let what = format!("a second rate of {currency} that begins at the same time");
                        wrong(self, number, what, "leave one of them out");
                    }
                }
                Err(what) => wrong(self, number, what, COLUMNS),
            }
        }
        if rates.is_none() {
            let what = format!("`{}` has no rate", item.path.value);
            self.report(Diagnostic::error("bad-rate", what).at(item.path.span, "in this file").help(COLUMNS));
        }
        self.draft.rates = rates;
    }

    /// Whether amounts of the two may meet: by their nature, or by a rate.
    pub(super) fn same_currency(&mut self, left: &Typed, right: &Typed, span: Span) -> Option<()> {
        self.meet(left.currency, right.currency, span)
    }

    pub(super) fn meet(&mut self, left: Option<Currency>, right: Option<Currency>, span: Span) -> Option<()> {
        let (Some(a), Some(b)) = (left, right) else { return Some(()) };
        let rates = self.draft.rates.as_ref();
        // A file of rates with mistakes is reported; what would need it is not a second mistake.
        let broken = self.rates_span.is_some() && rates.is_none();
        if a == b || broken || rates.is_some_and(|rates| rates.join(a, b)) {
            return Some(());
        }
        let finding = Diagnostic::error("two-currencies", format!("{a} and {b} never mix"))
            .at(span, format!("{a} here, {b} there"));
        self.report(match rates {
            Some(rates) => {
                let lacking = if rates.join(a, a) { b } else { a };
                finding.help(format!("write both in one currency, or add a rate of {lacking} to the file"))
            }
            None => finding.help("write both in one currency, or declare `rates from \"rates.csv\"`"),
        });
        None
    }

    /// The currency of a sum, a difference or a `??`, where it is certain. Without rates both sides are in one.
    pub(super) fn joined_currency(&self, left: &Typed, right: &Typed) -> Option<Currency> {
        match self.rates_span {
            None => left.currency.or(right.currency),
            Some(_) => left.currency.filter(|left| right.currency == Some(*left)),
        }
    }
}

type Line = (Currency, Currency, Decimal, Option<jiff::Timestamp>);

fn read(base: &str, currency: &str, rate: &str, from: &[String]) -> Result<Line, String> {
    let known = |code: &str| Currency::parse(code).ok_or_else(|| format!("`{code}` is not a currency of ISO 4217"));
    let (base, currency) = (known(base)?, known(currency)?);
    if base == currency {
        return Err(format!("a rate of {base} for {base}"));
    }
    let positive = Decimal::from_str_exact(rate).ok().filter(|rate| rate.is_sign_positive() && !rate.is_zero());
    let rate = positive.ok_or_else(|| format!("`{rate}` is not a rate: a decimal number above zero"))?;
    let from = match from {
        [] => None,
        [empty] if empty.is_empty() => None,
        [date] => Some(moment(date).ok_or_else(|| format!("`{date}` is not a day or moment"))?),
        [_, ..] => return Err("a rate has three columns, or four".to_owned()),
    };
    Ok((base, currency, rate, from))
}
