//! The JSON Schema of the file, for editors, written from the table of known keys.

use super::keys::{Key, Kind, ROOT};
use serde_json::{Map, Value, json};

/// The JSON Schema of the configuration file.
pub fn schema() -> String {
    let mut root = table(ROOT);
    if let Value::Object(root) = &mut root {
        root.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        root.insert("title".to_owned(), json!("The configuration of Tollgate"));
    }
    format!("{root:#}")
}

fn table(keys: &[Key]) -> Value {
    let properties: Map<String, Value> = keys.iter().map(|key| (key.name.to_owned(), property(key))).collect();
    let required: Vec<&str> = keys.iter().filter(|key| key.required).map(|key| key.name).collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn property(key: &Key) -> Value {
    let mut property = kind(&key.kind);
    if let Value::Object(property) = &mut property {
        let about = if let Kind::Later(instead) = key.kind {
            format!("{} Not in this version: {instead}.", key.about)
        } else {
            key.about.to_owned()
        };
        property.insert("description".to_owned(), json!(about));
        if let Some(default) = key.default {
            property.insert("default".to_owned(), default_value(&key.kind, default));
        }
    }
    property
}

fn default_value(kind: &Kind, text: &str) -> Value {
    let is_text = !matches!(kind, Kind::Boolean | Kind::BooleanOr(_) | Kind::Integer(..));
    if is_text { json!(text) } else { text.parse().unwrap_or_else(|_| json!(text)) }
}

fn kind(kind: &Kind) -> Value {
    match kind {
        Kind::Boolean => json!({ "type": "boolean" }),
        Kind::BooleanOr(other) => json!({ "anyOf": [{ "type": "boolean" }, self::kind(other)] }),
        Kind::Choice(words, _) => json!({ "enum": words }),
        Kind::Duration(..) => json!({ "type": "string", "pattern": "^([0-9]+(ms|s|m|h|d)|.*\\$\\{.*)$" }),
        Kind::Integer(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Kind::Later(_) => json!({ "not": {} }),
        Kind::List(item) => json!({ "type": "array", "items": self::kind(item) }),
        Kind::Named(value) => json!({ "type": "object", "additionalProperties": self::kind(value) }),
        Kind::RouteScopes => route_scopes(),
        Kind::Size(..) => json!({ "type": "string", "pattern": "^([0-9]+(B|KiB|MiB|GiB)|.*\\$\\{.*)$" }),
        Kind::Table(keys) => table(keys),
        Kind::Text => json!({ "type": "string" }),
        Kind::TextOr(other) => json!({ "anyOf": [{ "type": "string" }, self::kind(other)] }),
    }
}

fn route_scopes() -> Value {
    let all = json!({ "anyOf": [
        { "type": "string", "minLength": 1 },
        { "type": "array", "items": { "type": "string" }, "minItems": 1 },
    ] });
    let any = json!({
        "type": "object",
        "properties": { "any": { "type": "array", "items": all, "minItems": 1 } },
        "required": ["any"],
        "additionalProperties": false,
    });
    let one = json!({ "anyOf": [all, any] });
    let by_method = json!({
        "type": "object",
        "propertyNames": { "pattern": "^([A-Z][A-Z0-9-]*|\\*)$" },
        "additionalProperties": one,
        "minProperties": 1,
    });
    json!({ "anyOf": [all, any, by_method] })
}
