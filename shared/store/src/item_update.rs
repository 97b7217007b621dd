//! The update expression that stores a value in its item.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;

use crate::table::{Item, number};

/// An update that sets the attributes of a value and removes the optional ones that it lacks. Other
/// attributes of the item stay: a newer version of this code may have added them.
#[derive(Debug)]
pub(crate) struct ItemUpdate {
    set: Vec<String>,
    remove: Vec<String>,
    names: HashMap<String, String>,
    values: Item,
}

impl ItemUpdate {
    pub(crate) fn new(item: Item, optional: impl IntoIterator<Item = &'static str>) -> Self {
        let mut update = Self {
            set: Vec::new(),
            remove: Vec::new(),
            names: HashMap::new(),
            values: Item::new(),
        };
        for name in optional {
            if !item.contains_key(name) {
                update.remove.push(format!("#{name}"));
                update.names.insert(format!("#{name}"), name.to_owned());
            }
        }
        for (name, value) in item {
            update.set.push(format!("#{name} = :{name}"));
            update.values.insert(format!(":{name}"), value);
            update.names.insert(format!("#{name}"), name);
        }
        update
    }

    /// The same update, which also adds one to the attribute `version`.
    pub(crate) fn with_version_raised(mut self) -> Self {
        let raise = "#version = if_not_exists(#version, :zero) + :one";
        self.set.insert(0, raise.to_owned());
        self.names
            .insert("#version".to_owned(), "version".to_owned());
        self.values.insert(":zero".to_owned(), number(0));
        self.values.insert(":one".to_owned(), number(1));
        self
    }

    /// The same update, which also sets what this clause says. Its values are bound elsewhere.
    pub(crate) fn and_set(mut self, clause: &str) -> Self {
        self.set.push(clause.to_owned());
        self
    }

    /// The same update, which also removes these attributes.
    pub(crate) fn and_remove(mut self, clause: &str) -> Self {
        self.remove.push(clause.to_owned());
        self
    }

    pub(crate) fn apply(&self, call: UpdateItemFluentBuilder) -> UpdateItemFluentBuilder {
        call.update_expression(self.expression())
            .set_expression_attribute_names(Some(self.names.clone()))
            .set_expression_attribute_values(Some(self.values.clone()))
    }

    /// Whether an item is as this update leaves it.
    pub(crate) fn is_stored_in(&self, item: &Item) -> bool {
        self.names
            .values()
            .all(|name| item.get(name) == self.values.get(&format!(":{name}")))
    }

    pub(crate) fn expression(&self) -> String {
        let mut expression = format!("SET {}", self.set.join(", "));
        if !self.remove.is_empty() {
            expression.push_str(" REMOVE ");
            expression.push_str(&self.remove.join(", "));
        }
        expression
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::AttributeValue;

    use super::*;

    #[test]
    fn an_update_sets_what_the_value_has_and_removes_what_it_lacks() {
        let item = Item::from([("enabled".to_owned(), AttributeValue::Bool(true))]);
        let update = ItemUpdate::new(item, ["company"]).with_version_raised();
        assert_eq!(
            update.expression(),
            "SET #version = if_not_exists(#version, :zero) + :one, #enabled = :enabled \
             REMOVE #company"
        );
        assert_eq!((update.names.len(), update.values.len()), (3, 3));
    }
}
