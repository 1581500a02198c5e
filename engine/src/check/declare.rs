//! Events, lists, scripts, reasons and `let`s: what the rest of the pack may name.

use std::{collections::HashMap, sync::Arc};

use grammar::{Applicability, Diagnostic, Span, ast};

use super::{Checker, Let, inside_quotes};
use crate::{
    codes::Currency,
    event::EventId,
    ir::Expr,
    lists::{Entries, List, moment, parse_entry},
    program::ReasonText,
    schema::{EventSchema, FieldSchema, SENT},
    script::{self, Script},
    types::Type,
    value::{Value, weekday_named},
};

/// The most events a pack declares.
pub const MOST_EVENTS: u16 = 4_096;

/// The type of texts that are named one by one: `enum("succeeded", "failed")`.
pub const ENUM: &str = "enum";

/// What can be said about a field behind its type.
pub const ATTRIBUTES: [&str; 2] = ["pii", "currency"];

/// How many lines of a list's file are named as wrong behind the first.
const MOST_BAD_LINES: usize = 10;

impl<'a> Checker<'a> {
    pub(super) fn declare(&mut self, items: impl Iterator<Item = &'a ast::Item>) {
        self.draft.slots = SENT.iter().map(|(path, _)| Arc::from(*path)).collect();
        for item in items {
            match item {
                ast::Item::Event(event) => self.event(event),
                ast::Item::List(list) => self.list(list),
                ast::Item::Script(script) => self.script(script),
                ast::Item::Reason(reason) => self.reason(reason),
                ast::Item::Let(definition) => self.let_in(None, definition),
                ast::Item::Import(import) => self.import(import),
                ast::Item::Rates(rates) => self.rates(rates),
                ast::Item::Policy(_) | ast::Item::Test(_) | ast::Item::Prove(_) => {}
            }
        }
        self.draft.by_event = vec![Vec::new(); self.draft.events.len()];
    }

    pub(super) fn duplicate(&mut self, what: &str, name: &str, span: Span, first: Span) {
        let text = format!("there are two {what} named `{name}`");
        self.named_again(text, span, first, "names are unique in a pack: rename one");
    }

    pub(super) fn named_again(&mut self, text: String, span: Span, first: Span, help: &str) {
        self.report(
            Diagnostic::error("duplicate-name", text)
                .at(span, "named again here")
                .also(first, "first named here")
                .help(help),
        );
    }

    fn event(&mut self, event: &ast::EventDef) {
        let name = event.name.name.as_str();
        if let Some((_, first)) = self.event_names.get(name) {
            let first = *first;
            return self.duplicate("events", name, event.name.span, first);
        }
        let Some(id) = self.draft.plan.intern_action(name).map(|id| EventId(id.0)).filter(|id| id.0 < MOST_EVENTS)
        else {
            return self.report(
                Diagnostic::error("pack-too-large", format!("the pack has more than {MOST_EVENTS} events"))
                    .at(event.name.span, ""),
            );
        };
        self.event_names.insert(name.to_owned(), (id, event.name.span));
        let mut aliases = Vec::new();
        let codes = std::iter::once((name, event.name.span))
            .chain(event.aliases.iter().map(|alias| (alias.value.as_str(), alias.span)));
        for (code, span) in codes {
            let code: Arc<str> = code.into();
            match self.draft.actions.get(&code).and_then(|id| self.draft.events.get(usize::from(id.0))) {
                Some(other) => {
                    let text = format!("`{code}` already stands for the event `{}`", other.name);
                    self.report(Diagnostic::error("duplicate-name", text).at(span, "taken"));
                }
                None => {
                    self.draft.actions.insert(Arc::clone(&code), id);
                    if &*code != name {
                        aliases.push(code);
                    }
                }
            }
        }
        let requires = event.requires.iter().filter_map(|field| self.required(field)).collect();
        let mut fields: Vec<FieldSchema> = Vec::new();
        let mut spans: HashMap<&str, Span> = HashMap::new();
        for field in &event.fields {
            if let Some(first) = spans.insert(&field.name.name, field.name.span) {
                self.duplicate("fields", &field.name.name, field.name.span, first);
            } else if let Some(field) = self.field(field) {
                fields.push(field);
            }
        }
        for field in &event.fields {
            self.currency_field(field, &fields);
        }
        self.draft.events.push(EventSchema { id, name: name.into(), aliases, requires, fields });
    }

    fn required(&mut self, field: &ast::Ident) -> Option<Arc<str>> {
        let plain = || SENT.iter().map(|(path, _)| *path).filter(|path| !path.contains('.'));
        if plain().any(|path| path == field.name) {
            return Some(field.name.as_str().into());
        }
        if field.name == "user" {
            self.report(
                Diagnostic::error("unknown-signal", "`user` is not to be required")
                    .at(field.span, "every event has a user")
                    .help("leave it out: an event without a user is refused"),
            );
            return None;
        }
        let text = format!("there is no standard field `{}` to require", field.name);
        self.report(
            Diagnostic::error("unknown-signal", text)
                .at(field.span, "not a standard field")
                .near(&field.name, field.span, plain())
                .or_help("a field of the event's own is required unless its type ends in `?`"),
        );
        None
    }

    fn field(&mut self, field: &ast::FieldDef) -> Option<FieldSchema> {
        let name = field.name.name.as_str();
        if self.standard.iter().any(|standard| standard.path == name) {
            self.report(
                Diagnostic::error("duplicate-name", format!("`{name}` is a standard field"))
                    .at(field.name.span, "every event already has it")
                    .help(match SENT.iter().any(|(path, _)| *path == name) {
                        true => format!("leave it out; to make it mandatory write `requires {name}` before the brace"),
                        false => "leave it out: nothing has to be declared to read it".to_owned(),
                    }),
            );
            return None;
        }
        let (Some(ty), Some(choices)) = (self.type_ref(&field.ty), self.choices_of(&field.ty)) else {
            self.broken.insert(name.to_owned());
            return None;
        };
        if ty == Type::Geo || ty == Type::List(Box::new(Type::Geo)) {
            self.report(
                Diagnostic::error("type-mismatch", "a place is looked up: no caller can send one")
                    .at(field.ty.span, "no field has this type")
                    .help("every event has `geo`; an address that comes as a field is `ip`"),
            );
            self.broken.insert(name.to_owned());
            return None;
        }
        let slots = &mut self.draft.slots;
        if !slots.iter().any(|slot| **slot == *name) {
            slots.push(name.into());
        }
        let mut schema = FieldSchema {
            name: name.into(),
            ty,
            choices,
            optional: field.ty.optional,
            pii: false,
            currency_from: None,
        };
        for attribute in &field.attributes {
            match attribute.name.name.as_str() {
                "pii" => schema.pii = true,
                "currency" => {
                    schema.currency_from = match attribute.argument.as_ref().map(|argument| &argument.kind) {
                        Some(ast::ExprKind::Path(path)) => path.single().map(Arc::from),
                        Some(_) | None => None,
                    };
                    if schema.currency_from.is_none() {
                        self.report(
                            Diagnostic::error("bad-attribute", "`@currency` names the field that holds the currency")
                                .at(attribute.span, "no field named")
                                .help("write `@currency(currency)` and declare `currency: currency`"),
                        );
                    }
                }
                other => {
                    let text = format!("there is no attribute `@{other}`");
                    self.report(
                        Diagnostic::error("bad-attribute", text)
                            .at(attribute.name.span, "not an attribute")
                            .near(other, attribute.name.span, ATTRIBUTES)
                            .or_help("attributes are `@pii` and `@currency(field)`"),
                    );
                }
            }
        }
        Some(schema)
    }

    fn currency_field(&mut self, field: &ast::FieldDef, fields: &[FieldSchema]) {
        let Some(schema) = fields.iter().find(|schema| *schema.name == *field.name.name) else { return };
        let Some(from) = &schema.currency_from else { return };
        let Some(attribute) = field.attributes.iter().find(|attribute| attribute.name.name == "currency") else {
            return;
        };
        if schema.ty != Type::Money {
            let text = format!("`@currency` is for money, and `{}` is {}", schema.name, schema.ty);
            self.report(Diagnostic::error("bad-attribute", text).at(attribute.span, "not on this type"));
        }
        let known = fields.iter().find(|other| other.name == *from && other.ty == Type::Currency);
        if known.is_none() {
            let text = format!("the event has no field `{from}` of type currency");
            let names = fields.iter().filter(|other| other.ty == Type::Currency).map(|other| &*other.name);
            let place = attribute.argument.as_ref().map_or(attribute.span, |argument| argument.span);
            let finding = Diagnostic::error("bad-attribute", text)
                .at(place, "no such currency field")
                .near(from, place, names)
                .or_help(format!("declare it: `{from}: currency`"));
            self.unknown(from, finding);
        }
    }

    /// The values of an `enum`, as they come out of an event: normalised.
    fn choices_of(&mut self, written: &ast::TypeRef) -> Option<Arc<[Arc<str>]>> {
        let mut choices: Vec<Arc<str>> = Vec::new();
        for choice in &written.choices {
            let value: Arc<str> = crate::decode::text(&choice.value).into();
            if choices.contains(&value) {
                let text = format!("the value `{value}` stands twice");
                self.report(Diagnostic::error("duplicate-name", text).at(choice.span, "again").help("leave it out"));
                return None;
            }
            choices.push(value);
        }
        Some(choices.into())
    }

    pub(super) fn type_ref(&mut self, written: &ast::TypeRef) -> Option<Type> {
        if written.name.name == ENUM {
            if !written.choices.is_empty() {
                return Some(Type::Text);
            }
            self.report(
                Diagnostic::error("unknown-type", "an `enum` names its values")
                    .at(written.span, "which values?")
                    .help("write `enum(\"succeeded\", \"failed\")`"),
            );
            return None;
        }
        let ty = self.type_name(&written.name)?;
        if !written.choices.is_empty() {
            self.report(
                Diagnostic::error("unknown-type", format!("`{}` has no values to name", written.name.name))
                    .at(written.span, "only an `enum` has")
                    .help("write `enum(\"succeeded\", \"failed\")`, or leave the parentheses out"),
            );
            return None;
        }
        Some(if written.list { Type::List(Box::new(ty)) } else { ty })
    }

    fn type_name(&mut self, name: &ast::Ident) -> Option<Type> {
        let ty = Type::named(&name.name);
        if ty.is_none() {
            let text = format!("there is no type `{}`", name.name);
            let finding = Diagnostic::error("unknown-type", text).at(name.span, "not a type");
            self.report(match other_type(&name.name) {
                Some((ours, sure)) => finding.with_fix(format!("did you mean `{ours}`?"), name.span, ours, sure),
                None => finding
                    .near(&name.name, name.span, Type::names().chain([ENUM]))
                    .or_help(format!("types are {}", Type::names().collect::<Vec<_>>().join(", "))),
            });
        }
        ty
    }

    fn list(&mut self, list: &'a ast::ListDef) {
        let name = list.name.name.as_str();
        if let Some((_, first)) = self.list_names.get(name) {
            let first = *first;
            return self.duplicate("lists", name, list.name.span, first);
        }
        let Some(element) = self.type_name(&list.element) else {
            self.broken.insert(name.to_owned());
            return;
        };
        if element == Type::Geo {
            self.report(
                Diagnostic::error("type-mismatch", "a list holds no places")
                    .at(list.element.span, "never the same twice")
                    .help("hold a part of them: `country`, or `string` for cities"),
            );
            self.broken.insert(name.to_owned());
            return;
        }
        let entries = match &list.source {
            ast::ListSource::Inline(elements) => self.inline_entries(elements, &element),
            ast::ListSource::File(path) => self.file_entries(path, &element),
            ast::ListSource::Managed => Entries::default(),
        };
        if entries.len() > self.limits.list_entries {
            let (have, most) = (entries.len(), self.limits.list_entries);
            let text = format!("`@{name}` has {have} entries, more than the limit of {most} for a list");
            self.report(Diagnostic::error("pack-too-large", text).at(list.name.span, "too long"));
        }
        let changes = !matches!(list.source, ast::ListSource::Inline(_));
        let ttl_ms =
            list.ttl.as_ref().and_then(|ttl| self.positive(ttl, "entries stay for some time", "none would be there"));
        self.list_names.insert(name.to_owned(), (self.draft.lists.len(), list.name.span));
        self.draft.lists.push(List { name: name.into(), element, changes, ttl_ms, entries });
    }

    fn inline_entries(&mut self, elements: &'a [ast::Expr], element: &Type) -> Entries {
        let mut entries = Entries::default();
        for expr in elements {
            let constant = match &expr.kind {
                ast::ExprKind::Literal(literal) => self.literal(literal),
                // Days are names.
                ast::ExprKind::Path(path) if weekday_named(&path.text()).is_some() => {
                    weekday_named(&path.text()).map(|day| (day, Type::Weekday))
                }
                _ => {
                    self.report(
                        Diagnostic::error("bad-list-entry", "the entries of a list are constants")
                            .at(expr.span, "not a constant")
                            .help("write the values themselves"),
                    );
                    None
                }
            };
            if let Some((value, ty)) = constant {
                let value = match (element, value) {
                    (Type::Cidr, Value::Ip(ip)) => Value::Cidr(ip.into()),
                    (Type::User, Value::Text(text)) => Value::User(text),
                    (Type::Device, Value::Text(text)) => Value::Device(text),
                    (Type::Decimal, Value::Int(int)) => Value::Decimal(int.into()),
                    (_, value) if ty == *element => value,
                    (_, value) => {
                        let text = format!("`{value}` is {ty}, and the list holds {element}");
                        let finding = Diagnostic::error("bad-list-entry", text).at(expr.span, format!("not {element}"));
                        let finding = self.as_wanted(finding, expr, &Expr::Const(value), element);
                        self.report(finding);
                        continue;
                    }
                };
                entries.add(&value, None);
            }
        }
        entries
    }

    fn file_entries(&mut self, path: &ast::Text, element: &Type) -> Entries {
        let mut entries = Entries::default();
        let Some(text) = self.pack_file(path) else { return entries };
        let (mut first, mut wrong) = (true, Vec::new());
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let mut cells = csv_cells(line).into_iter();
            let value = cells.next().unwrap_or_default();
            if std::mem::take(&mut first) && value == "value" {
                continue;
            }
            let expires = cells.nth(1).unwrap_or_default();
            let until = if expires.is_empty() { Ok(None) } else { moment(&expires).map(Some).ok_or(()) };
            match (parse_entry(&value, element), until) {
                (Some(value), Ok(until)) => entries.add(&value, until),
                (None, _) => wrong.push((number + 1, format!("`{value}` is not {element}"))),
                (Some(_), Err(())) => wrong.push((number + 1, format!("`{expires}` is not a date"))),
            }
        }
        if let Some(((number, what), others)) = wrong.split_first() {
            let text = format!("line {number} of `{}`: {what}", path.value);
            let mut finding = Diagnostic::error("bad-list-entry", text)
                .at(path.span, "in this file")
                .help("the columns are value, reason, expires; a date is 2026-12-31 or left empty");
            for (number, what) in others.iter().take(MOST_BAD_LINES) {
                finding = finding.with_note(format!("line {number}: {what}"));
            }
            if others.len() > MOST_BAD_LINES {
                finding = finding.with_note(format!("{} more lines are wrong", others.len() - MOST_BAD_LINES));
            }
            self.report(finding);
        }
        entries
    }

    /// The text of a file that the pack names.
    pub(super) fn pack_file(&mut self, path: &ast::Text) -> Option<String> {
        let Some(bytes) = self.beside(path) else {
            let text = format!("the pack has no file `{}`", path.value);
            let names: Vec<&str> = self.pack.files.keys().map(String::as_str).collect();
            self.report(
                Diagnostic::error("missing-file", text)
                    .at(path.span, "no such file")
                    .near(&path.value, inside_quotes(path.span), names)
                    .or_help("paths are relative to the rule file's folder, or to the pack's"),
            );
            return None;
        };
        match std::str::from_utf8(bytes) {
            Ok(text) => Some(text.trim_start_matches('\u{feff}').to_owned()),
            Err(_) => {
                let text = format!("`{}` is not UTF-8 text", path.value);
                self.report(Diagnostic::error("not-utf8", text).at(path.span, "this file"));
                None
            }
        }
    }

    /// The file as seen from the folder of the rule file that names it, else from the folders around that one, up to
    /// the pack's own: so a pack can be put whole into a folder of another.
    fn beside(&self, path: &ast::Text) -> Option<&'a Vec<u8>> {
        let mut folder = self.sources.name(path.span.file);
        while let Some((parent, _)) = folder.rsplit_once('/') {
            folder = parent;
            if let Some(bytes) = self.pack.files.get(&format!("{folder}/{}", path.value)) {
                return Some(bytes);
            }
        }
        self.pack.files.get(&path.value)
    }

    fn script(&mut self, script: &ast::ScriptDef) {
        let name = script.name.name.as_str();
        if let Some((_, first)) = self.script_names.get(name) {
            let first = *first;
            return self.duplicate("scripts", name, script.name.span, first);
        }
        let params: Option<Vec<(Arc<str>, Type)>> = script
            .params
            .iter()
            .map(|param| Some((param.name.name.as_str().into(), self.type_ref(&param.ty)?)))
            .collect();
        let returns = self.type_ref(&script.returns);
        let types = script.params.iter().map(|param| &param.ty).chain([&script.returns]);
        for ty in types.filter(|ty| !ty.choices.is_empty()) {
            self.report(
                Diagnostic::error("not-supported", "an `enum` is the type of an event's field")
                    .at(ty.span, "not of a script")
                    .help("write `string`"),
            );
        }
        let budget = script.budget.as_i64().and_then(|ops| u64::try_from(ops).ok()).filter(|ops| *ops > 0);
        let budget = match budget {
            Some(ops) if ops <= script::MOST_OPS => Some(ops),
            Some(_) | None => {
                let text = format!("a script's budget is between 1 and {} operations", script::MOST_OPS);
                self.report(Diagnostic::error("number-out-of-range", text).at(script.budget.span, "not in this range"));
                None
            }
        };
        let text = self.pack_file(&script.path);
        let (Some(params), Some(returns), Some(budget), Some(text)) = (params, returns, budget, text) else {
            self.broken.insert(name.to_owned());
            return;
        };
        for (ty, span) in params.iter().map(|(_, ty)| ty).zip(script.params.iter().map(|param| param.ty.span)) {
            if !script::passes(ty) {
                self.report(
                    Diagnostic::error("not-supported", format!("a script cannot take {ty}"))
                        .at(span, "not this type")
                        .help("give it the parts: `geo.country`, `geo.lat`, `geo.lon`"),
                );
            }
        }
        if script.returns.optional {
            self.report(
                Diagnostic::error("not-supported", "the result of a script cannot be missing")
                    .at(script.returns.span, "always there, or unknown")
                    .help("leave `?` out: a script that returns nothing is a `script_error`, and what asks it unknown"),
            );
        }
        if !script::passes(&returns) {
            self.report(
                Diagnostic::error("not-supported", format!("a script cannot return {returns}"))
                    .at(script.returns.span, "not this type")
                    .help("return a part of it: a country, a distance, a text"),
            );
        }
        if let Some(expression) = script::as_expression(name, &params, &returns, &text) {
            self.needless_script(script, &expression);
        }
        match Script::compile(name, params, returns, budget, &text) {
            Ok(compiled) => {
                self.script_names.insert(name.to_owned(), (self.draft.scripts.len(), script.name.span));
                self.draft.scripts.push(compiled);
            }
            Err(why) => {
                self.broken.insert(name.to_owned());
                self.report(
                    Diagnostic::error("bad-script", format!("`{}` cannot be used: {why}", script.path.value))
                        .at(script.path.span, "this script")
                        .help("scripts have no `eval`, `import`, `print` or closures"),
                )
            }
        }
    }

    fn reason(&mut self, reason: &ast::ReasonDef) {
        let code = reason.code.name.as_str();
        if let Some((_, first)) = self.reason_names.get(code) {
            let first = *first;
            return self.duplicate("reasons", code, reason.code.span, first);
        }
        self.reason_names.insert(code.to_owned(), (self.draft.reasons.len(), reason.code.span));
        let text = |text: &Option<ast::Text>| text.as_ref().map(|text| text.value.as_str().into());
        self.draft.reasons.push(ReasonText {
            code: code.into(),
            text: reason.public.value.as_str().into(),
            internal: text(&reason.internal),
            regulation: text(&reason.regulation),
        });
    }

    pub(super) fn let_in(&mut self, policy: Option<usize>, definition: &'a ast::LetDef) {
        let name = &definition.name;
        let before = self.lets.get(&(policy, name.name.clone())).or_else(|| self.lets.get(&(None, name.name.clone())));
        if let Some(before) = before {
            let first = before.definition.name.span;
            return self.duplicate("`let`s", &name.name, name.span, first);
        }
        if self.standard.iter().any(|standard| standard.path == name.name) {
            let text = format!("`{}` is a standard field", name.name);
            return self
                .report(Diagnostic::error("duplicate-name", text).at(name.span, "taken").help("choose another name"));
        }
        self.lets.insert((policy, name.name.clone()), Let { definition, policy });
    }

    fn import(&mut self, import: &ast::Import) {
        // A pack is compiled as a whole, so an import only says what a file leans on.
        if !import.path.value.ends_with(".rules") || self.beside(&import.path).is_none() {
            let text = format!("the pack has no file `{}`", import.path.value);
            let names: Vec<String> = self.sources.files().iter().map(|file| file.name.clone()).collect();
            self.report(
                Diagnostic::error("missing-file", text)
                    .at(import.path.span, "no such file")
                    .near(&import.path.value, inside_quotes(import.path.span), names.iter().map(String::as_str))
                    .or_help("paths are relative to the rule file's folder, or to the pack's"),
            );
        }
    }

    /// The currency of a literal, for hints.
    pub(super) fn currency(&mut self, code: &ast::Ident) -> Option<Currency> {
        let currency = Currency::parse(&code.name);
        if currency.is_none() {
            let text = format!("there is no currency `{}`", code.name);
            let all = Currency::all();
            self.report(
                Diagnostic::error("unknown-currency", text)
                    .at(code.span, "not in ISO 4217")
                    .near(&code.name, code.span, all.iter().map(String::as_str))
                    .or_help("write the three capitals of ISO 4217, as in `EUR`; a country has two"),
            );
        }
        currency
    }
}

/// Our type for one of another language, and whether that is certain.
fn other_type(name: &str) -> Option<(&'static str, Applicability)> {
    use Applicability::{Certain, Likely};
    Some(match name.to_ascii_lowercase().as_str() {
        "integer" | "int32" | "int64" | "i64" | "long" | "bigint" => ("int", Certain),
        "number" | "count" => ("int", Likely),
        "text" | "str" | "varchar" | "char" => ("string", Certain),
        "boolean" => ("bool", Certain),
        "float" | "double" | "real" | "numeric" => ("decimal", Likely),
        "date" | "datetime" | "time" | "instant" => ("timestamp", Likely),
        "interval" | "period" => ("duration", Likely),
        "amount" | "price" => ("money", Likely),
        "ipaddress" | "ip_address" | "inet" => ("ip", Certain),
        "network" | "subnet" => ("cidr", Likely),
        _ => return None,
    })
}

/// The cells of one line of CSV (RFC 4180, without line breaks inside quotes).
pub(super) fn csv_cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    let mut chars = line.chars().peekable();
    while let Some(char) = chars.next() {
        let cell = cells.last_mut();
        match (char, cell) {
            ('"', Some(cell)) if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            ('"', _) => quoted = !quoted,
            (',', _) if !quoted => cells.push(String::new()),
            (char, Some(cell)) => cell.push(char),
            (_, None) => {}
        }
    }
    cells.into_iter().map(|cell| cell.trim().to_owned()).collect()
}
