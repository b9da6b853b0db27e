//! The form of a modal answer (openapi.json, ModalInteractionCallbackRequestData).

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{FormErrors, Refusal};

const ROW: u64 = 1;
const TEXT_INPUT: u64 = 4;
const MOST_ROWS: usize = 5;

/// Checks title, name and fields.
pub(super) fn check(data: &Value) -> Result<(), Refusal> {
    let mut errors = FormErrors::default();
    text(data, &["data"], "title", 45, &mut errors);
    text(data, &["data"], "custom_id", 100, &mut errors);
    let rows = data["components"].as_array().map_or(&[][..], Vec::as_slice);
    if !(1..=MOST_ROWS).contains(&rows.len()) {
        errors.add(&["data", "components"], "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.");
    }
    let mut names = BTreeSet::new();
    for (at, row) in rows.iter().enumerate() {
        let at = at.to_string();
        let path = ["data", "components", at.as_str()];
        let inputs = row["components"].as_array().map_or(&[][..], Vec::as_slice);
        let [input] = inputs else {
            errors.add(&path, "BASE_TYPE_BAD_LENGTH", "A row of a form has one component.");
            continue;
        };
        if row["type"].as_u64() != Some(ROW) || input["type"].as_u64() != Some(TEXT_INPUT) {
            errors.add(&path, "UNION_TYPE_CHOICES", "Value of field \"type\" must be a text input in a row.");
            continue;
        }
        let path = ["data", "components", at.as_str(), "components", "0"];
        text(input, &path, "custom_id", 100, &mut errors);
        text(input, &path, "label", 45, &mut errors);
        if !matches!(input["style"].as_u64(), Some(1 | 2)) {
            errors.add(&path, "BASE_TYPE_CHOICES", "Value must be one of {1, 2}.");
        }
        let bound = |key: &str, least: u64| {
            let value = &input[key];
            value.is_null() || value.as_u64().is_some_and(|value| (least..=4_000).contains(&value))
        };
        if !bound("min_length", 0) || !bound("max_length", 1) {
            errors.add(&path, "NUMBER_TYPE_MAX", "int value should be less than or equal to 4000.");
        }
        if !names.insert(input["custom_id"].as_str().unwrap_or_default()) {
            errors.add(&path, "COMPONENT_CUSTOM_ID_DUPLICATED", "Component custom id cannot be duplicated");
        }
    }
    errors.finish()
}

fn text(holder: &Value, path: &[&str], key: &str, most: usize, errors: &mut FormErrors) {
    let length = holder[key].as_str().map_or(0, |text| text.chars().count());
    if !(1..=most).contains(&length) {
        let path: Vec<&str> = path.iter().copied().chain([key]).collect();
        errors.add(&path, "BASE_TYPE_BAD_LENGTH", &format!("Must be between 1 and {most} in length."));
    }
}
