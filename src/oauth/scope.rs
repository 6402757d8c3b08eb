//! Scopes (RFC 6749 section 3.3): as text, as a table of those that exist, and as sets that
//! compare in a few machine instructions.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

/// The scope that opens the operator's API on TCP. It exists although nobody declares it.
pub const OPERATOR: &str = "tollgate:admin";

/// One scope-token: `%x21 / %x23-5B / %x5D-7E`, at least one character (R6749-3.3a).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScopeToken(Box<str>);

impl ScopeToken {
    /// The token as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ScopeToken {
    type Err = MalformedScope;

    fn from_str(text: &str) -> Result<Self, MalformedScope> {
        if !text.is_empty() && text.bytes().all(|octet| matches!(octet, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)) {
            Ok(Self(text.into()))
        } else {
            Err(MalformedScope(()))
        }
    }
}

/// The text is not a scope: a double space, a tab, a quote, a backslash, a character outside ASCII.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a scope is words of printable ASCII without quote or backslash, separated by single spaces")]
pub struct MalformedScope(());

/// The most words of one scope: each is compared with each other one, and a request body has room for tens of
/// thousands.
const MOST_WORDS: usize = 1000;

/// The `scope` parameter: one or more scope-tokens, each kept once, in the order of the text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope(Vec<ScopeToken>);

impl Scope {
    /// The tokens in the order of the text.
    pub fn iter(&self) -> impl Iterator<Item = &ScopeToken> {
        self.0.iter()
    }

    /// Whether there is no token at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `token` is one of them, letter by letter.
    pub fn contains(&self, token: &ScopeToken) -> bool {
        self.0.contains(token)
    }
}

impl FromIterator<ScopeToken> for Scope {
    fn from_iter<I: IntoIterator<Item = ScopeToken>>(tokens: I) -> Self {
        let mut scope = Self::default();
        for token in tokens {
            if !scope.contains(&token) {
                scope.0.push(token);
            }
        }
        scope
    }
}

impl FromStr for Scope {
    type Err = MalformedScope;

    fn from_str(text: &str) -> Result<Self, MalformedScope> {
        if text.split(' ').nth(MOST_WORDS).is_some() {
            return Err(MalformedScope(()));
        }
        text.split(' ').map(str::parse).collect()
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, token) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str(" ")?;
            }
            f.write_str(&token.0)?;
        }
        Ok(())
    }
}

/// A declared scope: a line of `[scopes]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeDeclaration {
    /// Its name; `{name}` in it makes it a template (`shelf:{id}`).
    pub name: ScopeToken,
    /// What it allows, in plain words, for the resource owner.
    pub text: String,
    /// Scopes that whoever has this one has too.
    pub implies: Scope,
    /// Not for clients that registered themselves.
    pub restricted: bool,
}

/// Why a set of declarations makes no table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScopeTableError {
    /// `implies` names a scope that is not declared.
    #[error("scope `{scope}` implies `{implied}`, which is not declared")]
    UnknownImplied {
        /// The scope whose declaration is wrong.
        scope: String,
        /// The name it mentions.
        implied: String,
    },
    /// Braces that are not exactly one `{name}`.
    #[error("scope `{0}`: a template has exactly one parameter, `{{name}}`")]
    MalformedTemplate(String),
}

/// Every scope that exists, each with a bit of its own.
#[derive(Clone, Debug, Default)]
pub struct ScopeTable {
    declared: Vec<ScopeDeclaration>,
    index: HashMap<Box<str>, usize>,
    templates: Vec<Template>,
    /// For each scope: itself and, transitively, what it implies.
    closures: Vec<Vec<usize>>,
}

#[derive(Clone, Debug)]
struct Template {
    prefix: Box<str>,
    suffix: Box<str>,
    bit: usize,
}

impl Template {
    fn matches(&self, token: &str) -> bool {
        token.len() > self.prefix.len() + self.suffix.len()
            && token.starts_with(&*self.prefix)
            && token.ends_with(&*self.suffix)
            && !token.contains(['{', '}'])
    }
}

impl ScopeTable {
    /// Gives each declared scope its bit and follows `implies` to its end (circles are allowed).
    ///
    /// # Errors
    /// Every declaration that is wrong.
    pub fn new(declared: Vec<ScopeDeclaration>) -> Result<Self, Vec<ScopeTableError>> {
        let index: HashMap<Box<str>, usize> =
            declared.iter().enumerate().map(|(bit, scope)| (scope.name.0.clone(), bit)).collect();
        let mut errors = Vec::new();
        let mut templates = Vec::new();
        for (bit, scope) in declared.iter().enumerate() {
            match template(scope.name.as_str(), bit) {
                Ok(found) => templates.extend(found),
                Err(error) => errors.push(error),
            }
            let unknown = scope.implies.iter().filter(|implied| !index.contains_key(&implied.0));
            errors.extend(unknown.map(|implied| ScopeTableError::UnknownImplied {
                scope: scope.name.0.to_string(),
                implied: implied.0.to_string(),
            }));
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let closures = (0..declared.len()).map(|bit| closure(bit, &declared, &index)).collect();
        Ok(Self { declared, index, templates, closures })
    }

    /// The declarations, in the order of the file.
    pub fn declared(&self) -> &[ScopeDeclaration] {
        &self.declared
    }

    /// Whether a client may name `token` at all: it is declared, or an instance of a declared template.
    pub fn exists(&self, token: &ScopeToken) -> bool {
        match self.index.get(&token.0) {
            Some(bit) => !self.is_template(*bit),
            None => self.templates.iter().any(|template| template.matches(&token.0)),
        }
    }

    /// Whether `token` is declared, be it as a template: what configuration may name in `scopes`.
    pub fn may_be_configured(&self, token: &ScopeToken) -> bool {
        self.index.contains_key(&token.0) || self.exists(token)
    }

    /// What a token with this scope holds, with what it implies. Scopes that no longer exist are
    /// not held. A template's own name, as clients and users have it, holds every instance.
    pub fn set_of(&self, scope: &Scope) -> ScopeSet {
        let mut set = ScopeSet { bits: Words::zero(self.declared.len().div_ceil(64)), instances: Vec::new() };
        for token in scope.iter() {
            if let Some(bit) = self.index.get(&token.0) {
                for implied in &self.closures[*bit] {
                    set.bits.as_mut_slice()[implied / 64] |= 1 << (implied % 64);
                }
            } else if self.exists(token) {
                set.instances.push(token.0.clone());
            }
        }
        set
    }

    /// The set of every declared scope, templates with all their instances.
    pub fn everything(&self) -> ScopeSet {
        self.set_of(&self.declared.iter().map(|scope| scope.name.clone()).collect())
    }

    /// Whether whoever holds `set` holds `token`.
    pub fn holds(&self, set: &ScopeSet, token: &str) -> bool {
        match self.index.get(token) {
            Some(bit) => set.has(*bit),
            None => {
                set.instances.iter().any(|instance| &**instance == token)
                    || self.templates.iter().any(|template| set.has(template.bit) && template.matches(token))
            }
        }
    }

    /// The part of `scope` that `ceiling` holds, in the order of `scope`: narrowing, never widening.
    pub fn narrow(&self, scope: &Scope, ceiling: &ScopeSet) -> Scope {
        scope.iter().filter(|token| self.holds(ceiling, token.as_str())).cloned().collect()
    }

    /// The set as text, in the order of the file: what was granted with what it implies.
    pub fn text_of(&self, set: &ScopeSet) -> String {
        let declared =
            self.declared.iter().enumerate().filter(|(bit, _)| set.has(*bit)).map(|(_, scope)| &*scope.name.0);
        declared.chain(set.instances.iter().map(|instance| &**instance)).collect::<Vec<_>>().join(" ")
    }

    fn is_template(&self, bit: usize) -> bool {
        self.templates.iter().any(|template| template.bit == bit)
    }
}

/// A set of scopes of one [`ScopeTable`]: a bit for each declared scope, and the names of template
/// instances.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScopeSet {
    bits: Words,
    instances: Vec<Box<str>>,
}

/// The bits. Few gateways have more than 64 scopes, and a cached token of theirs has no allocation for them.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Words {
    Many(Box<[u64]>),
    One(u64),
}

impl Default for Words {
    fn default() -> Self {
        Self::One(0)
    }
}

impl Words {
    fn zero(count: usize) -> Self {
        if count > 1 { Self::Many(vec![0; count].into()) } else { Self::One(0) }
    }

    fn as_slice(&self) -> &[u64] {
        match self {
            Self::Many(words) => words,
            Self::One(word) => std::slice::from_ref(word),
        }
    }

    fn as_mut_slice(&mut self) -> &mut [u64] {
        match self {
            Self::Many(words) => words,
            Self::One(word) => std::slice::from_mut(word),
        }
    }
}

impl ScopeSet {
    /// The bytes that it takes beside its own.
    pub fn size(&self) -> usize {
        let words = match &self.bits {
            Words::Many(words) => size_of_val(&**words),
            Words::One(_) => 0,
        };
        words + self.instances.iter().map(|instance| instance.len() + size_of::<Box<str>>()).sum::<usize>()
    }

    /// Whether every scope of `needed` is in this set. Both are of one table.
    pub fn covers(&self, needed: &Self) -> bool {
        // A set that lacks a word of the table holds nothing of it.
        let have = self.bits.as_slice().iter().copied().chain(std::iter::repeat(0));
        needed.bits.as_slice().iter().zip(have).all(|(need, have)| have & need == *need)
            && needed.instances.iter().all(|instance| self.instances.contains(instance))
    }

    /// Whether there is no scope in it.
    pub fn is_empty(&self) -> bool {
        self.instances.is_empty() && self.bits.as_slice().iter().all(|word| *word == 0)
    }

    fn has(&self, bit: usize) -> bool {
        self.bits.as_slice().get(bit / 64).is_some_and(|word| word >> (bit % 64) & 1 == 1)
    }
}

fn template(name: &str, bit: usize) -> Result<Option<Template>, ScopeTableError> {
    if !name.contains(['{', '}']) {
        return Ok(None);
    }
    let malformed = || ScopeTableError::MalformedTemplate(name.to_owned());
    let (prefix, rest) = name.split_once('{').ok_or_else(malformed)?;
    let (parameter, suffix) = rest.split_once('}').ok_or_else(malformed)?;
    if parameter.is_empty() || prefix.contains('}') || suffix.contains(['{', '}']) || parameter.contains('{') {
        return Err(malformed());
    }
    Ok(Some(Template { prefix: prefix.into(), suffix: suffix.into(), bit }))
}

fn closure(bit: usize, declared: &[ScopeDeclaration], index: &HashMap<Box<str>, usize>) -> Vec<usize> {
    let mut held = vec![bit];
    let mut next = 0;
    while let Some(current) = held.get(next).copied() {
        for implied in declared[current].implies.iter().filter_map(|token| index.get(&token.0)) {
            if !held.contains(implied) {
                held.push(*implied);
            }
        }
        next += 1;
    }
    held
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(lines: &[(&str, &str)]) -> ScopeTable {
        let declare = |(name, implies): &(&str, &str)| ScopeDeclaration {
            name: name.parse().unwrap(),
            text: String::new(),
            implies: if implies.is_empty() { Scope::default() } else { implies.parse().unwrap() },
            restricted: false,
        };
        ScopeTable::new(lines.iter().map(declare).collect()).unwrap()
    }

    fn scope(text: &str) -> Scope {
        text.parse().unwrap()
    }

    /// R6749-3.3a
    #[test]
    fn malformed_scopes_are_refused() {
        for text in ["", " a", "a ", "a  b", "a\tb", "a\"b", "a\\b", "ä"] {
            assert!(text.parse::<Scope>().is_err(), "{text:?}");
        }
        assert_eq!(scope("b a b").to_string(), "b a");
    }

    #[test]
    fn implied_scopes_are_held_through_any_number_of_steps() {
        let table = table(&[("admin", "write"), ("write", "read"), ("read", ""), ("other", "")]);
        let admin = table.set_of(&scope("admin"));
        assert!(admin.covers(&table.set_of(&scope("read write"))));
        assert!(!admin.covers(&table.set_of(&scope("other"))));
        assert!(!ScopeSet::default().covers(&table.set_of(&scope("read"))));
        assert_eq!(table.text_of(&admin), "admin write read");
    }

    #[test]
    fn a_template_holds_its_instances_and_is_never_granted_itself() {
        let table = table(&[("shelf:{id}", ""), ("read", "")]);
        let ceiling = table.set_of(&scope("shelf:{id}"));
        assert_eq!(table.narrow(&scope("shelf:42 read shelf:"), &ceiling), scope("shelf:42"));
        assert!(!table.exists(&"shelf:{id}".parse().unwrap()));
        let granted = table.set_of(&scope("shelf:42"));
        assert!(table.holds(&granted, "shelf:42") && !table.holds(&granted, "shelf:43"));
    }

    #[test]
    fn sets_work_beyond_one_machine_word() {
        let names: Vec<String> = (0..130).map(|number| format!("s{number}")).collect();
        let lines: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
        let table = table(&lines);
        let set = table.set_of(&scope("s0 s64 s129"));
        assert!(set.covers(&table.set_of(&scope("s129"))) && !set.covers(&table.set_of(&scope("s128"))));
    }
}
