//! What is answered where all is well: a schema for every operation. `answers.json` has them; the tests hold every answer of
//! theirs against it, and let no member be that it does not name.

use serde_json::{Map, Value, json};

use crate::store::ActionState;

/// `operations` (its schema by method and path; within brackets, a list of them) and `schemas`.
const ANSWERS: &str = include_str!("answers.json");

/// Writes the schemas into the document.
pub(super) fn write(api: &mut Value) {
    let answers = answers();
    let named = answers.get("schemas").and_then(Value::as_object).cloned().unwrap_or_default();
    let schemas = &mut api["components"]["schemas"];
    for (name, schema) in named {
        schemas[name] = schema;
    }
    let states: Vec<&str> = ActionState::ALL.iter().map(|state| state.as_str()).collect();
    schemas["ActionState"] = json!({"type": "string", "enum": states});
    let paths = api.get_mut("paths").and_then(Value::as_object_mut).into_iter().flatten();
    for (path, methods) in paths {
        for (method, operation) in methods.as_object_mut().into_iter().flatten() {
            if let Some(schema) = schema_of(&answers, method, path) {
                operation["responses"]["200"]["content"]["application/json"]["schema"] = schema;
            }
        }
    }
}

fn answers() -> Map<String, Value> {
    serde_json::from_str(ANSWERS).unwrap_or_default()
}

fn schema_of(answers: &Map<String, Value>, method: &str, path: &str) -> Option<Value> {
    let reference = |name: &Value| Some(json!({"$ref": format!("#/components/schemas/{}", name.as_str()?)}));
    match answers.get("operations")?.get(format!("{method} {path}"))? {
        Value::Array(listed) => Some(json!({"type": "array", "items": reference(listed.first()?)?})),
        name => reference(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_says_what_it_answers_and_nothing_else_is_said() {
        let api = super::super::openapi();
        let answers = answers();
        let mut operations = Vec::new();
        for (path, methods) in api["paths"].as_object().expect("paths") {
            operations.extend(methods.as_object().expect("methods").keys().map(|method| format!("{method} {path}")));
        }
        let said: Vec<&String> = answers["operations"].as_object().expect("operations").keys().collect();
        let lacking: Vec<_> = operations.iter().filter(|operation| !said.contains(operation)).collect();
        let invented: Vec<_> = said.iter().filter(|operation| !operations.contains(operation)).collect();
        assert!(lacking.is_empty() && invented.is_empty(), "without a schema: {lacking:?}; no operation: {invented:?}");
        let text = api.to_string();
        for name in answers["schemas"].as_object().expect("schemas").keys() {
            assert!(text.contains(&format!("\"#/components/schemas/{name}\"")), "nothing answers with `{name}`");
        }
        let referred = text.split("\"#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next());
        for name in referred {
            assert!(api["components"]["schemas"][name].is_object(), "there is no schema `{name}`");
        }
    }
}
