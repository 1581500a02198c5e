//! The syntax tree of the rule language: what was written, in the order it was written.
//!
//! Every node knows its [`Span`]. Nothing is resolved here: names are names, numbers are the exact digits of the source.
//! Spans are left out when a tree is serialised, so two trees mean the same when their [`dump`]s are equal.

mod dump;
mod expr;
mod literal;
mod policy;
mod prove;

pub use dump::{dump, same_meaning};
pub use expr::*;
pub use literal::*;
pub use policy::*;
pub use prove::*;

use crate::source::Span;
use serde::Serialize;

/// One `.rules` file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
pub struct File {
    /// Its items, in order. Items that did not parse are not here; their diagnostics say so.
    pub items: Vec<Item>,
}

/// One top-level item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Item {
    /// `import "common.rules"`
    Import(Import),
    /// `rates from "rates.csv"`
    Rates(Rates),
    /// `event sign_in "signIn" requires ip { outcome: string }`
    Event(EventDef),
    /// `list @office: cidr = [203.0.113.0/24]`
    List(ListDef),
    /// `script payee_similarity(a: string) -> percent from "scripts/s.rhai" budget 20000 ops`
    Script(ScriptDef),
    /// `reason IP_BLOCKED "This network is blocked"`
    Reason(ReasonDef),
    /// `let anonymous_net = ip.tor or ip.vpn`
    Let(LetDef),
    /// `policy sign_in on sign_in { … }`
    Policy(Policy),
    /// `test "stuffing blocks" { … }`
    Test(Test),
    /// `prove "…" { for all withdrawal … }`
    Prove(Prove),
}

impl Item {
    /// The whole item, from its keyword to its last character.
    pub fn span(&self) -> Span {
        match self {
            Item::Import(item) => item.span,
            Item::Rates(item) => item.span,
            Item::Event(item) => item.span,
            Item::List(item) => item.span,
            Item::Script(item) => item.span,
            Item::Reason(item) => item.span,
            Item::Let(item) => item.span,
            Item::Policy(item) => item.span,
            Item::Test(item) => item.span,
            Item::Prove(item) => item.span,
        }
    }
}

/// `import "common.rules"`: another file of the same pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Import {
    /// The path, relative to the pack.
    pub path: Text,
    /// The whole item.
    #[serde(skip)]
    pub span: Span,
}

/// `rates from "rates.csv"`: exchange rates, so that two currencies may be compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rates {
    /// The file, relative to the pack.
    pub path: Text,
    /// The whole item.
    #[serde(skip)]
    pub span: Span,
}

/// `event name "alias", "alias" requires ip, device { field: type … }`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventDef {
    /// Its name in rules.
    pub name: Ident,
    /// Other action codes backends may send for it.
    pub aliases: Vec<Text>,
    /// Standard fields that must be present.
    pub requires: Vec<Ident>,
    /// Its own fields.
    pub fields: Vec<FieldDef>,
    /// The whole item.
    #[serde(skip)]
    pub span: Span,
}

/// `amount: money? @currency(currency)`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldDef {
    /// The field's name.
    pub name: Ident,
    /// Its type.
    pub ty: TypeRef,
    /// Its attributes, in order.
    pub attributes: Vec<Attribute>,
    /// Name, type and attributes.
    #[serde(skip)]
    pub span: Span,
}

/// A type as written: `string`, `list<country>`, `duration?`, `enum("succeeded", "failed")`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TypeRef {
    /// The name of the type, or of the element type of a list.
    pub name: Ident,
    /// The texts in parentheses behind the name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Text>,
    /// Whether `list<…>` is around it.
    pub list: bool,
    /// Whether `?` follows: the value may be absent.
    pub optional: bool,
    /// All of it.
    #[serde(skip)]
    pub span: Span,
}

/// `@pii`, `@currency(currency)`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attribute {
    /// The name without `@`.
    pub name: Ident,
    /// What is in the parentheses: a literal or a path.
    pub argument: Option<Expr>,
    /// From `@` to the end.
    #[serde(skip)]
    pub span: Span,
}

/// `list @name: type = […] | from "file.csv" | managed   ttl 7d`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListDef {
    /// Its name.
    pub name: ListName,
    /// The type of its elements.
    pub element: Ident,
    /// Where the elements come from.
    pub source: ListSource,
    /// How long an added element stays.
    pub ttl: Option<Duration>,
    /// The whole item.
    #[serde(skip)]
    pub span: Span,
}

/// Where a list's elements come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum ListSource {
    /// `= [KP, IR]`; each element is a literal or a path.
    Inline(Vec<Expr>),
    /// `from "lists/blocked.csv"`
    File(Text),
    /// `managed`: kept by the server, changed over its API.
    Managed,
}

/// `script name(a: string) -> percent from "scripts/s.rhai" budget 20000 ops`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ScriptDef {
    /// Its name in expressions.
    pub name: Ident,
    /// Its parameters.
    pub params: Vec<Param>,
    /// The type of its result.
    pub returns: TypeRef,
    /// The file, relative to the pack.
    pub path: Text,
    /// The operations it may use.
    pub budget: Number,
    /// The whole item.
    #[serde(skip)]
    pub span: Span,
}

/// `a: string`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Param {
    /// The parameter's name.
    pub name: Ident,
    /// Its type.
    pub ty: TypeRef,
}

/// `reason CODE "public text" internal "…" regulation "…"`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReasonDef {
    /// Its code.
    pub code: Ident,
    /// What the API may say.
    pub public: Text,
    /// What only the audit log says.
    pub internal: Option<Text>,
    /// The regulation it serves.
    pub regulation: Option<Text>,
    /// The whole item.
    #[serde(skip)]
    pub span: Span,
}

/// `let name = expression`, at the top level or inside a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LetDef {
    /// Its name.
    pub name: Ident,
    /// What it stands for.
    pub value: Expr,
    /// The whole item.
    #[serde(skip)]
    pub span: Span,
}

/// A name and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ident {
    /// The name itself.
    pub name: String,
    /// Where it stands.
    #[serde(skip)]
    pub span: Span,
}

/// `@office`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListName {
    /// The name without `@`.
    pub name: String,
    /// With the `@`.
    #[serde(skip)]
    pub span: Span,
}

/// `ip`, `geo.country`, `last_verified.geo`, `challenge.succeeded`: one or more names joined by dots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Path {
    /// The names; at least one.
    pub segments: Vec<Ident>,
    /// All of it.
    #[serde(skip)]
    pub span: Span,
}

impl Path {
    /// The path as written, with its dots.
    pub fn text(&self) -> String {
        self.segments.iter().map(|segment| segment.name.as_str()).collect::<Vec<_>>().join(".")
    }

    /// The name, if it is a single one.
    pub fn single(&self) -> Option<&str> {
        match self.segments.as_slice() {
            [only] => Some(&only.name),
            _ => None,
        }
    }
}
