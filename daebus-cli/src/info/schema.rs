//! JSON Schemas in one line.

use serde_json::{Map, Value};

/// The maximum depth of nested types in the output. Deeper types are written as `…`.
const DEPTH: usize = 4;

/// Summarizes a JSON Schema: `{id: integer, name?: string}` for example, where `?` marks a field that may be absent.
pub(super) fn summary(schema: &Value) -> String {
    let definitions = schema.get("$defs").and_then(Value::as_object);
    let empty = Map::new();
    Summary { definitions: definitions.unwrap_or(&empty) }.of(schema, DEPTH)
}

struct Summary<'a> {
    definitions: &'a Map<String, Value>,
}

impl Summary<'_> {
    fn of(&self, schema: &Value, depth: usize) -> String {
        if depth == 0 {
            return "…".into();
        }
        if let Some(reference) = schema["$ref"].as_str() {
            let name = reference.rsplit('/').next().unwrap_or(reference);
            return self
                .definitions
                .get(name)
                .map_or_else(|| name.to_owned(), |schema| self.of(schema, depth - 1));
        }
        if let Some(value) = schema.get("const") {
            return value.to_string();
        }
        if let Some(values) = schema["enum"].as_array() {
            return joined(values.iter().map(Value::to_string));
        }
        if let Some(schemas) = schema["anyOf"].as_array().or(schema["oneOf"].as_array()) {
            return joined(schemas.iter().map(|schema| self.of(schema, depth - 1)));
        }
        match &schema["type"] {
            Value::Array(types) => joined(types.iter().filter_map(Value::as_str).map(str::to_owned)),
            Value::String(name) if name == "object" => self.object(schema, depth),
            Value::String(name) if name == "array" => match schema.get("items") {
                Some(items) => format!("[{}]", self.of(items, depth - 1)),
                None => "[any]".into(),
            },
            Value::String(name) => name.clone(),
            _ => "any".into(),
        }
    }

    fn object(&self, schema: &Value, depth: usize) -> String {
        let Some(properties) = schema["properties"].as_object() else {
            let values = schema.get("additionalProperties").filter(|values| values.is_object());
            return values
                .map_or_else(|| "{}".into(), |values| format!("{{…: {}}}", self.of(values, depth - 1)));
        };
        let required = schema["required"].as_array().map(Vec::as_slice).unwrap_or_default();
        let fields = properties.iter().map(|(name, schema)| {
            let mark = if required.iter().any(|required| required == name.as_str()) { "" } else { "?" };
            format!("{name}{mark}: {}", self.of(schema, depth - 1))
        });
        format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
    }
}

fn joined(alternatives: impl Iterator<Item = String>) -> String {
    alternatives.collect::<Vec<_>>().join(" | ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_schema_is_summarized_in_one_line() {
        let schema = json!({
            "type": "object",
            "required": ["id", "kind"],
            "properties": {
                "id": {"type": "integer", "format": "uint64"},
                "kind": {"$ref": "#/$defs/Kind"},
                "name": {"type": ["string", "null"]},
                "tags": {"type": "array", "items": {"type": "string"}},
            },
            "$defs": {"Kind": {"enum": ["small", "large"]}},
        });
        assert_eq!(
            summary(&schema),
            r#"{id: integer, kind: "small" | "large", name?: string | null, tags?: [string]}"#
        );
    }

    #[test]
    fn a_recursive_schema_ends() {
        let schema = json!({"$ref": "#/$defs/Node", "$defs": {"Node": {
            "type": "object", "required": ["next"], "properties": {"next": {"$ref": "#/$defs/Node"}},
        }}});
        assert_eq!(summary(&schema), "{next: {next: …}}");
        assert_eq!(summary(&json!(true)), "any");
    }
}
