//! Filling in a form as Discord's client does.

use serde_json::{Value, json};

use super::list;

/// The form's components with what was filled in, as a submission has them.
pub(super) fn filled(form: &Value, values: &Value) -> Result<Vec<Value>, String> {
    let given = values.as_object().ok_or("values go by the names of fields")?;
    let inputs: Vec<&Value> =
        list(form, "components").iter().flat_map(|row| list(row, "components")).collect();
    if let Some(unknown) = given.keys().find(|name| !inputs.iter().any(|input| input["custom_id"] == **name))
    {
        return Err(format!("the form has no field {unknown}"));
    }
    inputs
        .into_iter()
        .map(|input| row(input, given.get(input["custom_id"].as_str().unwrap_or_default())))
        .collect()
}

fn row(input: &Value, given: Option<&Value>) -> Result<Value, String> {
    let name = &input["custom_id"];
    let text = given.map_or(Some(""), Value::as_str).ok_or_else(|| format!("the field {name} takes text"))?;
    let length = text.chars().count() as u64;
    // A field is required unless it says otherwise.
    if length == 0 && input["required"].as_bool() != Some(false) {
        return Err(format!("the field {name} is required"));
    }
    let (least, most) =
        (input["min_length"].as_u64().unwrap_or(0), input["max_length"].as_u64().unwrap_or(4_000));
    if length > 0 && !(least..=most).contains(&length) {
        return Err(format!("the field {name} has {least} to {most} characters, not {length}"));
    }
    Ok(json!({"type": 1, "components": [{"type": 4, "custom_id": name, "value": text}]}))
}
